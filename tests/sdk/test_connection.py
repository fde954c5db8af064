"""What is repeated and what never; timeouts, pools, proxies; and that a key shows up nowhere."""

from __future__ import annotations

import logging
import socket
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from hitl_mcp import AsyncHITLClient
from hitl_mcp.contract.states import Status
from hitl_mcp.errors import (
    BadRequest,
    Conflict,
    ContractBroken,
    HITLError,
    NotAllowed,
    NotAuthorised,
    NotFound,
    ServiceFault,
    TimedOut,
    TooManyRequests,
    Unreachable,
)
from hitl_mcp.sdk.endpoint import Endpoint
from tests.rest.backend import QUESTION
from tests.sdk.backends import Place
from tests.sdk.little import DROP, HANG, Answer, Little, little
from tests.world import WAIT

pytestmark = pytest.mark.anyio

KEY = "hitl_live_" + "k" * 32
LOOP = "a" * 24
NO_LOOPS = Answer(data={"loops": []})
NO = Answer(400, {"field": "request_text", "issue": "is not a question"})
Work = Callable[[AsyncHITLClient], Awaitable[Any]]


def client_of(server: Little | str, **more: Any) -> AsyncHITLClient:
    """A client that is quick to try again."""
    return AsyncHITLClient(KEY, server if isinstance(server, str) else server.url, retry_delay=0.001, **more)


async def listing(client: AsyncHITLClient) -> Any:
    """GET."""
    return await client.list_loops(fresh=True)


async def asking(client: AsyncHITLClient) -> Any:
    """POST that must not be repeated blindly."""
    return await client.create_request(LOOP, QUESTION)


async def asking_once(client: AsyncHITLClient) -> Any:
    """POST with an idempotency key."""
    return await client.create_request(LOOP, QUESTION, idempotency_key="once")


async def cancelling(client: AsyncHITLClient) -> Any:
    """DELETE."""
    return await client.cancel_request(LOOP)


async def changing(client: AsyncHITLClient) -> Any:
    """PATCH: each one is a revision of its own."""
    return await client.update_request(LOOP, priority="high")


async def rating(client: AsyncHITLClient) -> Any:
    """POST."""
    return await client.add_feedback(LOOP, rating=5)


NEVER = [asking, cancelling, changing, rating]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("work", [listing, asking_once])
async def test_a_passing_fault_is_tried_again(work: Work, status: int) -> None:
    async with little(NO, Answer(status)) as server, client_of(server) as client:
        with pytest.raises(BadRequest):  # what came the second time
            await work(client)
        assert len(server.calls) == 2


@pytest.mark.parametrize("work", [listing, asking_once])
async def test_a_broken_connection_is_tried_again_where_it_is_safe(work: Work) -> None:
    async with little(NO, DROP, DROP) as server, client_of(server) as client:
        with pytest.raises(BadRequest):
            await work(client)
        assert len(server.calls) == 3
        assert len({call.headers.get("idempotency-key") for call in server.calls}) == 1


@pytest.mark.parametrize(
    "answer", [DROP, Answer(500), Answer(502), Answer(503), Answer(504), Answer(429, {"retry_after": 0})]
)
@pytest.mark.parametrize("work", NEVER)
async def test_what_may_have_taken_effect_is_never_repeated(work: Work, answer: Answer) -> None:
    async with little(NO_LOOPS, answer) as server, client_of(server) as client:
        with pytest.raises((Unreachable, ServiceFault, TooManyRequests)) as caught:
            await work(client)
        assert len(server.calls) == 1
        if answer is DROP:
            assert "not known whether this took effect" in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(400), BadRequest), (Answer(401), NotAuthorised), (Answer(403), NotAllowed), (Answer(404), NotFound),
        (Answer(409), Conflict), (Answer(413), BadRequest), (Answer(422), BadRequest), (Answer(501), ServiceFault),
        (Answer(429), TooManyRequests), (Answer(429, {"retry_after": 31}), TooManyRequests),
        (Answer(503, {"retry_after": 3000}), ServiceFault),
    ],
)  # fmt: skip
@pytest.mark.parametrize("work", [listing, asking_once])
async def test_what_will_not_pass_is_told_at_once(work: Work, answer: Answer, error: type[HITLError]) -> None:
    async with little(NO_LOOPS, answer) as server, client_of(server) as client:
        with pytest.raises(error) as caught:
            await work(client)
        assert type(caught.value) is error
        assert len(server.calls) == 1


async def test_a_budget_that_comes_back_soon_is_waited_for() -> None:
    async with little(NO_LOOPS, Answer(429, {"retry_after": 0})) as server, client_of(server) as client:
        assert await listing(client) == []
        assert len(server.calls) == 2


async def test_what_a_used_up_budget_says() -> None:
    gone = Answer(429, {"retry_after": 600, "reset_at": "2026-03-02T10:00:00Z"})
    async with little(gone) as server, client_of(server) as client:
        with pytest.raises(TooManyRequests) as caught:
            await listing(client)
        assert caught.value.retry_after == 600
        assert caught.value.reset_at is not None
        assert caught.value.reset_at.isoformat() == "2026-03-02T10:00:00+00:00"


@pytest.mark.parametrize("retries", [0, 1, 3])
async def test_it_gives_up_after_max_retries(retries: int) -> None:
    async with little(DROP) as server, client_of(server, max_retries=retries) as client:
        with pytest.raises(Unreachable):
            await listing(client)
        assert len(server.calls) == retries + 1


class Moving:
    """A backend that is found somewhere else after it went away.

    Attributes:
        asked: how often it was looked for again.
    """

    def __init__(self, *urls: str) -> None:
        self._urls = list(urls)
        self.asked = 0

    async def endpoint(self, failed: Endpoint | None = None) -> Endpoint:
        """See `Resolver`."""
        if failed is not None:
            self.asked += 1
            if len(self._urls) > 1:
                self._urls.pop(0)
        return Endpoint(self._urls[0], KEY, self._urls[0], name="server")


def nobody_there() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize("work", [listing, *NEVER])
async def test_what_never_left_is_sent_to_where_the_backend_is_now(work: Work) -> None:
    async with little(NO) as server:
        moving = Moving(nobody_there(), server.url)
        async with AsyncHITLClient.at(moving) as client:
            with pytest.raises(BadRequest):
                await work(client)
        # who was first is looked up after a refused cancel
        assert (len(server.calls), moving.asked) == (2 if work is cancelling else 1, 1)


async def test_an_unknown_outcome_is_not_hidden_by_the_search_for_the_backend() -> None:
    async with little(NO, DROP) as server:
        moving = Moving(server.url)
        async with AsyncHITLClient.at(moving) as client:
            with pytest.raises(Unreachable, match="not known whether this took effect"):
                await asking(client)
        assert moving.asked == 0


@pytest.mark.parametrize("work", [listing, asking])
async def test_a_silent_backend_is_given_up_in_time(work: Work) -> None:
    async with little(HANG) as server, client_of(server, timeout=0.1, max_retries=0) as client:
        with pytest.raises(TimedOut), anyio.fail_after(WAIT):
            await work(client)
        assert len(server.calls) == 1


async def test_a_wait_is_not_cut_by_the_timeout_of_a_call(settings: dict[str, str], server: Place) -> None:
    async with AsyncHITLClient(timeout=1) as client:
        loop = (await client.create_loop("Content moderation")).loop.id
        asked = await client.create_request(loop, QUESTION)
        with anyio.fail_after(WAIT):
            assert (await client.wait_for_decision(asked, timeout=1.5)).status is Status.PENDING
            async with anyio.create_task_group() as tasks:

                async def answer() -> None:
                    await anyio.to_thread.run_sync(server.answer, asked.request_id, "Approve")

                tasks.start_soon(answer)
                assert (await client.wait_for_decision(asked)).response_data == "Approve"


@pytest.mark.parametrize(("given", "sent"), [("shop/2.1", "shop/2.1 hitl-mcp-server/"), (None, "hitl-mcp-server/"),
                                             ("Prüfer/1", "Pr%C3%BCfer/1 hitl-mcp-server/")])  # fmt: skip
async def test_the_calls_name_the_program(given: str | None, sent: str) -> None:
    async with little(NO_LOOPS) as server, client_of(server, user_agent=given) as client:
        await listing(client)
        assert server.calls[0].headers["user-agent"].startswith(sent)
        assert server.calls[0].headers["authorization"] == f"Bearer {KEY}"


async def test_a_redirect_is_not_followed() -> None:
    async with little(NO_LOOPS) as elsewhere, little(Answer(302, headers={"Location": elsewhere.url})) as server:
        async with client_of(server) as client:
            with pytest.raises(HITLError):
                await listing(client)
        assert (len(server.calls), elsewhere.calls) == (1, [])


@pytest.mark.parametrize(
    "answer", [DROP, HANG, Answer(401), Answer(400, "no"), Answer(302), Answer(200, 7), Answer(503)]
)
async def test_the_key_is_in_no_log_and_no_error(answer: Answer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with little(answer) as server, client_of(server, timeout=0.1, max_retries=1) as client:
        for work in (listing, asking):
            with pytest.raises(HITLError) as caught:
                await work(client)
            shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(vars(caught.value))
            assert KEY not in shown
        assert KEY not in repr(client) + repr(await client.backend()) + str(await client.backend())
    assert KEY not in caplog.text


async def test_connections_are_kept_and_bounded() -> None:
    async with little(NO_LOOPS) as server, client_of(server) as client:
        for _ in range(10):
            await listing(client)
        assert server.connections == 1
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(listing, client)
        assert len(server.calls) == 110
        assert server.connections <= 20


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_a_proxy_is_used_abroad_only(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with little(NO_LOOPS) as proxy, little(NO_LOOPS) as server:
        monkeypatch.setenv(name, proxy.url)
        async with client_of(server) as client:
            await listing(client)
        assert (len(server.calls), proxy.calls) == (1, [])
        async with client_of("http://hitl.example.test") as client:
            await listing(client)
        assert proxy.calls[0].target == "http://hitl.example.test/v1/api/loops"


@pytest.mark.parametrize(
    ("url", "abroad"),
    [("http://127.0.0.1:8000", False), ("http://localhost:8000", False), ("http://[::1]:8000", False),
     ("https://hitl.example.com", True), ("http://127.0.0.1.example.com", True), ("http://10.0.0.7", True)],
)  # fmt: skip
def test_what_is_abroad(url: str, abroad: bool) -> None:
    assert Endpoint(url, KEY, url).is_abroad is abroad


async def test_what_cannot_be_read_is_never_a_decision() -> None:
    async with little(Answer(200, {"request": {"status": "completed"}})) as server, client_of(server) as client:
        with pytest.raises(ContractBroken):
            await client.get_request(LOOP)
