"""Four processes over one database, under load, while one is killed, the database restarts, a line dies without a
word, and one is replaced: nothing is lost, nothing is doubled, and every call comes back with the one decision
(H18, H21, H23 to H26)."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest
from sqlalchemy import select

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import NewRequest
from hitl_mcp.contract.states import Kind
from hitl_mcp.sdk import AsyncHITLClient
from hitl_mcp.service.rows import history
from hitl_mcp.service.store import Tx
from hitl_mcp.service.store.tables import requests
from tests import postgres
from tests.cluster.load import LATER, Follower, Load, Question, Rotating, Way, held, loaded, mcp_client
from tests.cluster.nodes import Node, Nodes, serving
from tests.service.chain import faults
from tests.service.stage import Place, stage
from tests.world import WAIT, eventually

pytestmark = pytest.mark.anyio

SEED = 20261121
WAYS: tuple[Way, ...] = ("sdk", "sdk", "sdk", "rest", "rest", "mcp")
BOUND = 60.0
PEOPLE = ("Ada", "Grace", "Lin")


@dataclass
class Scene:
    """The cluster under load."""

    place: Place
    nodes: Nodes
    load: Load
    session: str
    wire: postgres.Wire
    followers: list[Follower]
    phase: str = ""

    async def during(self, what: str, disturb: Callable[[], Awaitable[None]]) -> None:
        """Let something happen while questions wait, and while others are asked, decided and told."""
        self.load.calm, self.phase = False, what
        try:
            with anyio.fail_after(BOUND):
                async with anyio.create_task_group() as tasks:
                    self._ask(tasks, LATER)
                    while not await self._all_wait():
                        await anyio.sleep(0.02)
                    self._ask(tasks, "meanwhile")
                    await disturb()
                    self.load.calm = True
        except TimeoutError as late:
            raise AssertionError([one for one in self.load.questions if one.told is None]) from late

    def _ask(self, tasks: anyio.abc.TaskGroup, when: str) -> None:
        for number, way in enumerate(WAYS):
            twice = self.load.chance.random() < 0.5
            tasks.start_soon(self.load.ask, Question(f"{self.phase} {when} {number}", way, twice))

    async def _all_wait(self) -> bool:
        listed = await self.load.send(self.nodes.balancer.url, "GET", routes.REVIEWS, key=self.session)
        texts = {one["request_text"] for one in listed.data["requests"]}
        return {f"{self.phase} {LATER} {number}" for number in range(len(WAYS))} <= texts


@asynccontextmanager
async def scene(folder: Path) -> AsyncGenerator[Scene]:
    """Four processes, three reviewers at work, and somebody who follows the event stream of each process."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(postgres.database())
        wire, wired = await stack.enter_async_context(postgres.through_a_wire(url))
        place = Place(folder, url)
        async with stage(place) as console:
            loop_id = console.loop_id
            people = {name: (await console.second_person(name)).session.key for name in PEOPLE}
            session = console.reviewer.session.key
            _, start = await console.agent.changes_after(None)
        nodes = await stack.enter_async_context(serving(folder / "nodes", [url, wired, url, url]))
        load = await stack.enter_async_context(loaded(nodes, place.key, loop_id, SEED))
        followers: list[Follower] = []
        for node in nodes.every:
            begin = Rotating(nodes, place.key, load.chance, node.url)
            followers.append(Follower(await stack.enter_async_context(AsyncHITLClient.at(begin)), start))
        async with anyio.create_task_group() as tasks:
            for name, token in people.items():
                tasks.start_soon(load.review, name, token)
            for follower in followers:
                tasks.start_soon(follower.run)
            yield Scene(place, nodes, load, session, wire, followers)
            tasks.cancel_scope.cancel()


async def test_whatever_fails_each_question_is_kept_decided_and_told_once(folder: Path) -> None:
    folder.mkdir()
    async with scene(folder) as on:
        killed, _, replaced, _ = on.nodes.every

        async def kill() -> None:
            await killed.end(signal.SIGKILL)
            await killed.start()

        async def silence() -> None:
            on.wire.go_silent()

        await on.during("killed", kill)
        await on.during("restarted", lambda: postgres.server().restart("immediate"))
        await on.during("silent", silence)
        await on.during("replaced", lambda: replace(on, replaced))
        assert on.load.refused == []
        kept = await kept_in(on.place)
        for follower in on.followers:
            await eventually(lambda follower=follower: has_all(follower, kept))
        assert [bool(on.followers[place].broken) for place in (0, 2)] == [True, True], "whose process has ended"
    judge(on.load, kept)
    for log in (folder / "nodes").glob("*.log"):
        assert '"level": "ERROR"' not in log.read_text(), log.read_text()


async def replace(on: Scene, node: Node) -> None:
    """A rolling deploy: who waits gets a handle, and the others refuse nobody meanwhile."""
    first, second = Question(f"replaced {LATER} rest", "rest", twice=False), f"replaced {LATER} mcp"
    others = [other for other in on.nodes.every if other is not node]
    path = routes.LOOP_REQUESTS.format(loop_id=on.load.loop_id)
    made = await on.load.send(node.url, "POST", path, asked(first.name), key=on.load.key)
    assert made.status == 201
    request_id = made.data["request_id"]
    handles: list[dict[str, Any]] = []
    ended = anyio.Event()

    async def hold_a_call() -> None:
        async with mcp_client(node.url, on.load.key) as client:
            await client.list_tools()  # else the client asks for the schema when it has the result
            result = await client.call_tool("request_human_approval", {"action": second, "wait_seconds": 600})
            assert not result.is_error, result.content
            handles.append(result.structured_content or {})

    async def call(other: Node) -> None:
        while not ended.is_set():
            answer = await on.load.send(other.url, "GET", routes.REQUEST.format(request_id=request_id), key=on.load.key)
            assert answer.status == 200
            await anyio.sleep(0.01)

    code, answer = -1, b""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hold_a_call)
        await eventually(lambda: is_open(on, second))
        poll, writer = await open_poll(node, request_id, on.load.key)
        assert (await on.load.send(node.url, "GET", routes.READY, key=on.load.key)).status == 200
        for other in others:
            tasks.start_soon(call, other)
        code = await node.end(signal.SIGTERM)
        with anyio.fail_after(WAIT):
            answer = await poll.read()
        writer.close()
        ended.set()
    assert code == 0
    assert answer.startswith(b"HTTP/1.1 408") and b'"pending":true' in answer
    assert [handle["outcome"] for handle in handles] == ["pending"]
    await node.start()
    on.load.questions += [first, Question(second, "mcp", twice=False)]
    for question, known in zip(on.load.questions[-2:], (request_id, handles[0]["request_id"]), strict=True):
        question.ids.add(known)


def asked(text: str) -> dict[str, Any]:
    """The body of an approval request."""
    return NewRequest(kind=Kind.APPROVAL, request_text=text).model_dump(mode="json", exclude_unset=True)


async def is_open(on: Scene, text: str) -> bool:
    """Whether a question waits for a person."""
    listed = await on.load.send(on.nodes.balancer.url, "GET", routes.REVIEWS, key=on.session)
    return any(one["request_text"] == text for one in listed.data["requests"])


async def open_poll(node: Node, request_id: str, key: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A long poll that this process has certainly been sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    lines = (f"GET {held(request_id, 120)} HTTP/1.1", f"Host: 127.0.0.1:{node.port}", f"Authorization: Bearer {key}")
    writer.write("\r\n".join((*lines, "Connection: close", "", "")).encode())
    await writer.drain()
    return reader, writer


@dataclass(frozen=True)
class Kept:
    """A request as the database keeps it, with its log."""

    id: str
    text: str
    status: str
    log: list[dict[str, Any]]

    @property
    def decision(self) -> dict[str, Any]:
        """The log's one decision."""
        (entry,) = [entry for entry in self.log if entry["type"] == "completed"]
        return entry


async def kept_in(place: Place) -> list[Kept]:
    """Everything that the database keeps."""

    def unit(tx: Tx) -> list[Kept]:
        rows = tx.connection.execute(select(requests.c.id, requests.c.request_text, requests.c.status)).all()
        return [Kept(row.id, row.request_text, row.status, history(tx, row.id)) for row in rows]

    async with stage(place) as console:
        return await console.services.store.scan(unit)


async def has_all(follower: Follower, kept: list[Kept]) -> bool:
    """Whether the follower was told everything."""
    return {(one.id, entry["type"]) for one in kept for entry in one.log} <= follower.told


def judge(load: Load, kept: list[Kept]) -> None:
    """What must hold however it went."""
    by_id = {one.id: one for one in kept}
    by_text = Counter(one.text for one in kept)
    assert {question.name for question in load.questions} == by_text.keys()
    for question in load.questions:
        assert question.ids <= by_id.keys(), "a request that was made is gone"
        assert {by_id[request_id].text for request_id in question.ids} == {question.name}
        if question.way != "mcp":  # over MCP an agent that does not find its question asks again
            assert (by_text[question.name], len(question.ids)) == (1, 1), question
        assert by_text[question.name] <= 1 + question.interruptions, question
        if question.told is not None:
            request_id, value = question.told
            assert by_id[request_id].decision["data"]["response_data"] == value, question
    for one in kept:
        assert one.status == "completed", one.text
        assert faults(one.id, one.log) == []
        assert [entry["type"] for entry in one.log][:2] == ["created", "completed"]
    accepted = Counter(request_id for request_id, _, _ in load.said)
    assert set(accepted.values()) == {1}, "two answers to one question were accepted"
    for request_id, _, value in load.said:
        assert by_id[request_id].decision["data"]["response_data"] == value
