"""HITLClient is AsyncHITLClient without an event loop: the same methods, from threads, after a fork, and at the end."""

from __future__ import annotations

import ast
import gc
import inspect
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest

from hitl_mcp import AsyncHITLClient, HITLClient
from hitl_mcp.contract.models import Created
from hitl_mcp.contract.states import Status
from hitl_mcp.errors import NotFound, Unreachable
from hitl_mcp.retry import retry_with_backoff
from tests.rest.backend import QUESTION
from tests.sdk.backends import Place
from tests.world import WAIT, environment

T = TypeVar("T")
ROOT = Path(__file__).parents[2]

ONLY_ASYNC = {
    "at": "for resolvers of this package",
    "aclose": "close",
    "run": "the client's thread runs it",
    "stream": "wait_for_decision, or changes_after",
    "watching": "wait_for_decision",
    "mark": "goes with watching",
    "forget_loops": "list_loops(fresh=True)",
    "staleness": "goes with look",
}
ONLY_SYNC = {"close": "aclose"}
MARK: ContextVar[str] = ContextVar("MARK", default="unset")


def methods(cls: type) -> dict[str, Callable[..., Any]]:
    """The public ones."""
    return {name: method for name, method in inspect.getmembers(cls, callable) if not name.startswith("_")}


def arguments(method: Callable[..., Any]) -> list[tuple[str, Any, Any, Any]]:
    """What a method takes."""
    given = inspect.signature(method).parameters.values()
    return [(one.name, one.kind, one.default, one.annotation) for one in given]


def test_every_method_is_there_and_no_other() -> None:
    expected = methods(AsyncHITLClient).keys() - ONLY_ASYNC.keys() | ONLY_SYNC.keys()
    assert methods(HITLClient).keys() == expected
    assert methods(AsyncHITLClient).keys() >= ONLY_ASYNC.keys(), "an exception that is none any more"


@pytest.mark.parametrize("name", sorted(methods(HITLClient).keys() - ONLY_SYNC.keys()))
def test_a_method_takes_and_returns_the_same_and_is_one_line(name: str) -> None:
    sync, original = getattr(HITLClient, name), getattr(AsyncHITLClient, name)
    assert arguments(sync) == arguments(original)
    assert inspect.signature(sync).return_annotation == inspect.signature(original).return_annotation
    (function,) = ast.parse(textwrap.dedent(inspect.getsource(sync))).body
    assert isinstance(function, ast.FunctionDef)
    _, only = function.body
    assert isinstance(only, ast.Return)
    assert name in ast.unparse(only)


def test_both_are_made_alike() -> None:
    own = [one for one in arguments(AsyncHITLClient) if one[0] != "backend"]
    assert arguments(HITLClient) == own


@pytest.fixture
def loop(settings: dict[str, str]) -> str:
    """A fresh loop on the server; its id."""
    with HITLClient() as client:
        return client.create_loop("Content moderation").loop.id


def answered_later(work: Callable[[], T]) -> Future[T]:
    """The work in a thread of its own."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done


def test_many_threads_share_one(loop: str, server: Place) -> None:
    with HITLClient() as client, ThreadPoolExecutor(16) as pool:

        def ask(number: int) -> str:
            asked = client.create_request(loop, QUESTION, context={"number": number})
            server.answer(asked.request_id, "Approve")
            decided = client.wait_for_decision(asked, timeout=WAIT)
            assert (decided.status, decided.context) == (Status.COMPLETED, {"number": number})
            return decided.id

        assert len(set(pool.map(ask, range(64)))) == 64


def test_who_waits_on_is_told_although_another_is_done(loop: str, server: Place) -> None:
    with HITLClient() as client:
        asked = [client.create_request(loop, QUESTION) for _ in range(3)]
        waits = [answered_later(lambda one=one: client.wait_for_decision(one)) for one in asked]
        for one, wait in zip(asked, waits, strict=True):
            server.answer(one.request_id, "Reject")
            assert wait.result(WAIT).response_data == "Reject"


@pytest.mark.anyio
async def test_so_it_is_without_a_context_manager(settings: dict[str, str], loop: str, server: Place) -> None:
    client = AsyncHITLClient()
    asked = [await client.create_request(loop, QUESTION) for _ in range(3)]
    done = [anyio.Event() for _ in asked]

    async def wait(number: int) -> None:
        assert (await client.wait_for_decision(asked[number])).response_data == "Reject"
        done[number].set()

    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(wait, number)
            for number in range(3):
                await anyio.to_thread.run_sync(server.answer, asked[number].request_id, "Reject")
                await done[number].wait()
    await client.aclose()


def test_an_error_is_the_same_error(settings: dict[str, str]) -> None:
    with HITLClient() as client, pytest.raises(NotFound):
        client.wait_for_decision("f" * 24)


def test_closing_ends_the_calls_under_way_and_a_later_call_opens_it_again(loop: str) -> None:
    client = HITLClient()
    asked = client.create_request(loop, QUESTION)
    wait = answered_later(lambda: client.wait_for_decision(asked))
    client.close()
    client.close()
    try:
        with pytest.raises(Unreachable, match="was closed"):
            wait.result(WAIT)
    finally:
        assert client.cancel_request(asked.request_id).status is Status.CANCELLED
        client.close()


def test_a_client_that_is_forgotten_leaves_no_thread_behind(settings: dict[str, str]) -> None:
    before = set(threading.enumerate())
    client = HITLClient()
    client.check_key()
    (thread,) = set(threading.enumerate()) - before
    del client
    gc.collect()
    thread.join(WAIT)
    assert not thread.is_alive()


@pytest.mark.anyio
async def test_the_async_client_opens_again_too(settings: dict[str, str]) -> None:
    client = AsyncHITLClient()
    for _ in range(2):
        async with client:
            assert (await client.check_key()).api_key_id


def test_a_callback_that_calls_the_client_is_told_so(loop: str) -> None:
    with HITLClient() as client:

        def progress(done: int, of: int) -> None:
            client.list_loops()

        with pytest.raises(RuntimeError, match="callback"):
            client.create_requests(loop, [QUESTION], on_progress=progress)
        assert client.list_loops()


def test_contextvars_reach_the_call(loop: str) -> None:
    found: list[str] = []
    token = MARK.set("here")
    try:
        with HITLClient() as client:
            client.create_requests(loop, [QUESTION], on_progress=lambda done, of: found.append(MARK.get()))
    finally:
        MARK.reset(token)
    assert found == ["here"]


def test_a_repeated_function_asks_once(loop: str) -> None:
    made: list[Created] = []
    with HITLClient() as client:

        @retry_with_backoff(max_retries=2, retry_delay=0)
        def ask() -> str:
            made.append(client.create_request(loop, QUESTION))
            if len(made) < 3:
                raise Unreachable("the answer was lost")
            return made[-1].request_id

        assert {one.request_id for one in made} <= {ask()}
    assert [one.joined for one in made] == [False, True, True]
    assert len({one.request_id for one in made}) == 1


def program(text: str, settings: dict[str, str], *arguments: str) -> list[str]:
    """Run it as a process of its own, which ends by itself and complains of nothing; what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", textwrap.dedent(text), *arguments], capture_output=True, text=True,
        env=environment(ROOT, **settings), timeout=2 * WAIT, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("used", [True, False])
def test_a_module_level_client_works_in_forked_children(used: bool, settings: dict[str, str]) -> None:
    printed = program(
        """
        import os, signal, sys
        from hitl_mcp import HITLClient
        client = HITLClient()
        if sys.argv[1] == "True":
            client.check_key()
        for number in range(3):
            if (pid := os.fork()) == 0:
                signal.alarm(15)
                print("child", client.check_key().account_status, flush=True)
                client.close()
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        print("parent", client.check_key().account_status)
        """,
        settings,
        str(used),
    )
    assert printed == ["child active"] * 3 + ["parent active"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_may_come_at_any_moment(settings: dict[str, str]) -> None:
    printed = program(
        """
        import os, signal, threading, warnings
        from hitl_mcp import HITLClient
        from hitl_mcp.errors import Unreachable
        warnings.simplefilter("ignore", DeprecationWarning)
        client = HITLClient()
        client.check_key()  # what Python imports during a fork is locked in the child: no library can change that
        ended = threading.Event()

        def busy():
            while not ended.is_set():
                try:
                    client.check_key()
                    client.close()
                except Unreachable:
                    pass

        threads = [threading.Thread(target=busy) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(10):
            if (pid := os.fork()) == 0:
                signal.alarm(15)
                client.check_key()
                os._exit(0)
            print(os.waitpid(pid, 0)[1])
        ended.set()
        """,
        settings,
    )
    assert printed == ["0"] * 10


def test_a_program_that_closes_nothing_ends_by_itself(settings: dict[str, str], loop: str) -> None:
    printed = program(
        """
        import sys, threading
        from hitl_mcp import HITLClient
        client = HITLClient()
        asked = client.request_approval(sys.argv[1], "Ship it?", timeout_seconds=3600)
        threading.Thread(target=client.wait_for_decision, args=(asked,), daemon=True).start()
        print(client.wait_for_decision(asked, timeout=0.2).status)
        """,
        settings,
        loop,
    )
    assert printed == ["pending"]


@pytest.mark.skipif(sys.platform == "win32", reason="an alarm stands for the key")
def test_ctrl_c_ends_a_wait_and_the_client_still_works(settings: dict[str, str], loop: str) -> None:
    printed = program(
        """
        import os, signal, sys
        from hitl_mcp import HITLClient
        client = HITLClient()
        asked = client.request_approval(sys.argv[1], "Ship it?", timeout_seconds=3600)
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        try:
            client.wait_for_decision(asked)
        except KeyboardInterrupt:
            print("interrupted", client.get_request(asked.request_id).status)
            print(client.cancel_request(asked.request_id).status)
        client.close()
        """,
        settings,
        loop,
    )
    assert printed == ["interrupted pending", "cancelled"]
