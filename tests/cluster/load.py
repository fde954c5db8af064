"""What agents and reviewers do to the cluster, and what each was told."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import anyio
import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import Change, NewRequest, ReviewRequest
from hitl_mcp.contract.states import Kind
from hitl_mcp.errors import ServiceFault, Unreachable
from hitl_mcp.sdk import AsyncHITLClient, http
from hitl_mcp.sdk.endpoint import Endpoint
from tests.cluster.nodes import Nodes
from tests.service.stage import Answer
from tests.world import WAIT

T = TypeVar("T")
Way = Literal["sdk", "rest", "mcp"]
VALUES = ("approve", "reject", "needs_changes")
LATER = "later"
PAUSE = 0.05
AWAY = 503
"""What a process says while its database is away. Anything else in the five hundreds is a fault of ours."""


@dataclass
class Question:
    """What one agent wants to know.

    Attributes:
        name: its text, and its idempotency key where the way has one.
        ids: the requests that its creates made or joined.
        told: the request whose decision its waiting call came back with, and the decision.
        interruptions: how often its calls broke.
    """

    name: str
    way: Way
    twice: bool
    ids: set[str] = field(default_factory=set[str])
    told: tuple[str, Any] | None = None
    interruptions: int = 0


@dataclass
class Rotating:
    """The `Resolver` of a client that knows every process: when one does not answer it takes another.

    Attributes:
        first: where to begin.
    """

    nodes: Nodes
    key: str
    chance: random.Random
    first: str = ""

    async def endpoint(self, failed: Endpoint | None = None) -> Endpoint:
        """See `Resolver`."""
        others = [url for url in self.nodes.urls if failed is None or url != failed.base_url]
        url = self.first if self.first and failed is None else self.chance.choice(others)
        return Endpoint(url, self.key, url)


@dataclass
class Load:
    """The agents and reviewers.

    Attributes:
        calm: reviewers decide everything; before, they leave what is marked to be decided later.
        said: each answer that was accepted: request, person, value.
    """

    nodes: Nodes
    key: str
    loop_id: str
    chance: random.Random
    clients: list[AsyncHITLClient]
    calm: bool = False
    questions: list[Question] = field(default_factory=list[Question])
    said: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    refused: list[Answer] = field(default_factory=list[Answer])

    # --- agents

    async def ask(self, question: Question) -> None:
        """Ask, and wait until it is decided."""
        self.questions.append(question)
        if question.way == "mcp":
            await self._by_mcp(question)
            return
        async with anyio.create_task_group() as tasks:
            for _ in range(1 + question.twice):
                tasks.start_soon(self._created, question, self.chance.choice(self.clients))
        request_id = next(iter(question.ids))
        wait = self._by_sdk if question.way == "sdk" else self._by_rest
        decided = await self._insisted(question, lambda: wait(request_id))
        question.told = (decided.id, decided.response_data)

    async def _created(self, question: Question, client: AsyncHITLClient) -> None:
        new = NewRequest(kind=Kind.APPROVAL, request_text=question.name)
        create = lambda: client.create_request(self.loop_id, new, idempotency_key=question.name)  # noqa: E731
        question.ids.add((await self._insisted(question, create)).request_id)

    async def _insisted(self, question: Question, call: Callable[[], Awaitable[T]]) -> T:
        """What a careful program does: what is safe to repeat is repeated until it is answered."""
        while True:
            try:
                return await call()
            except Unreachable:
                question.interruptions += 1
            except ServiceFault as fault:
                assert fault.status == AWAY, fault
                question.interruptions += 1
            await anyio.sleep(PAUSE)

    async def _by_sdk(self, request_id: str) -> ReviewRequest:
        client = self.chance.choice(self.clients)
        request = await client.get_request(request_id)
        while request.status.is_open:
            request = await client.wait_for_decision(request, WAIT)
        return request

    async def _by_rest(self, request_id: str) -> ReviewRequest:
        while True:
            answer = await self.send(self.nodes.balancer.url, "GET", held(request_id, 20), key=self.key)
            if answer.status == 200:
                return ReviewRequest.model_validate(answer.data["request"])
            if answer.status != 408:
                raise ServiceFault(answer.msg, status=answer.status)

    async def _by_mcp(self, question: Question) -> None:
        """An agent whose call broke looks for what it asked before it asks again."""
        asked = False
        while question.told is None:
            try:
                async with mcp_client(self.nodes.balancer.url, self.key) as client:
                    known = await self._found(client, question) if asked else None
                    asked = True
                    if known is None:
                        await self._held(client, question, "request_human_approval", {"action": question.name})
                    while known is not None and question.told is None:
                        await self._held(client, question, "check_request", {"request_id": known})
            except* (httpx2.HTTPError, MCPError, BrokenCall, anyio.ClosedResourceError, anyio.BrokenResourceError):
                question.interruptions += 1
            await anyio.sleep(PAUSE)

    async def _found(self, client: Client, question: Question) -> str | None:
        listed = _structure(await client.call_tool("list_requests", {"limit": 100}))
        ids = [entry["request_id"] for entry in listed["requests"] if entry["text"] == question.name]
        return ids[0] if ids else None

    async def _held(self, client: Client, question: Question, tool: str, arguments: dict[str, Any]) -> None:
        result = _structure(await client.call_tool(tool, {**arguments, "wait_seconds": 60}))
        question.ids.add(result["request_id"])
        if result["outcome"] != "pending":
            question.told = (result["request_id"], result["answer"])

    # --- people

    async def review(self, person: str, session: str) -> None:
        """Decide whatever is open, as fast as the others let one; until cancelled."""
        while True:
            with suppress(Unreachable):
                await self._review_once(person, session)
            await anyio.sleep(PAUSE)

    async def _review_once(self, person: str, session: str) -> None:
        listed = await self.send(self.chance.choice(self.nodes.urls), "GET", routes.REVIEWS, key=session)
        if listed.status != 200:
            self._note(listed)
            return
        waiting = [one for one in listed.data["requests"] if self.calm or LATER not in one["request_text"]]
        self.chance.shuffle(waiting)
        for one in waiting:
            value = self.chance.choice(VALUES)
            path = routes.REQUEST_RESPOND.format(request_id=one["id"])
            body = {"response_data": value, "revision": one["revision"]}
            answer = await self.send(self.chance.choice(self.nodes.urls), "POST", path, body, key=session)
            if answer.status == 200:
                self.said.append((one["id"], person, value))
            else:
                self._note(answer)

    def _note(self, answer: Answer) -> None:
        if answer.status not in (409, AWAY):  # somebody was first
            self.refused.append(answer)

    async def send(self, url: str, method: str, path: str, body: Any = None, *, key: str) -> Answer:
        """One call over a connection of its own. Raises: Unreachable."""
        async with http.new_client() as client:
            response = await http.exchange(client, Endpoint(url, key, url), method, path, seconds=40, body=body)
        return Answer(response.status_code, dict(response.headers), json.loads(response.content))


class BrokenCall(Exception):
    """A tool call that says that it could not."""


def _structure(result: Any) -> dict[str, Any]:
    if result.is_error:
        raise BrokenCall(result.content)
    return result.structured_content


def held(request_id: str, seconds: float) -> str:
    """The address of the long poll."""
    return f"{routes.REQUEST_WAIT.format(request_id=request_id)}?timeout={seconds}"


@asynccontextmanager
async def mcp_client(url: str, key: str) -> AsyncGenerator[Client]:
    """An MCP client over streamable HTTP."""
    timeout = httpx2.Timeout(WAIT, read=WAIT * 4)
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=timeout, trust_env=False) as plain,
        Client(streamable_http_client(f"{url}/mcp", http_client=plain)) as client,
    ):
        yield client


@asynccontextmanager
async def loaded(nodes: Nodes, key: str, loop_id: str, seed: int) -> AsyncGenerator[Load]:
    """The agents' clients: one through the balancer, the others know every process."""
    chance = random.Random(seed)
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(AsyncHITLClient.at(Rotating(nodes, key, chance, first)))
            for first in (nodes.balancer.url, "", "")
        ]
        yield Load(nodes, key, loop_id, chance, clients)


@dataclass
class Follower:
    """Follows the event stream and resumes where it ended, whatever ends it.

    Attributes:
        told: request and kind of every change it was told.
        broken: how often the stream ended.
    """

    client: AsyncHITLClient
    position: int
    told: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    broken: int = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(Unreachable, ServiceFault):
                async for item in self.client.stream(self.position):
                    if isinstance(item, Change):
                        self.told.add((item.request_id, item.type))
                        self.position = max(self.position, item.position)
            self.broken += 1
            await anyio.sleep(PAUSE)
