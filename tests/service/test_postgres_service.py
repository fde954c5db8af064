"""Several processes over one database: asked at one, decided at the other, told at once (D7, H21, H23, H25)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr
from sqlalchemy import update

from hitl_mcp.contract.models import Change, NewAnswer, NewRequest, RequestChange, ReviewRequest
from hitl_mcp.contract.states import Assurance, Channel, Kind, Status
from hitl_mcp.contract.teams import Scope
from hitl_mcp.errors import Refused
from hitl_mcp.sdk import AsyncHITLClient
from hitl_mcp.sdk.endpoint import Endpoint, Fixed
from hitl_mcp.service import keys, people
from hitl_mcp.service.actors import Agent, Person
from hitl_mcp.service.context import Services
from hitl_mcp.service.lifecycle import deciding
from hitl_mcp.service.rows import history
from hitl_mcp.service.run import running
from hitl_mcp.service.store import Notice, Tx
from hitl_mcp.service.store.postgres import open_postgres
from hitl_mcp.service.store.tables import requests
from tests import postgres
from tests.service.chain import faults
from tests.service.hold import Hold
from tests.world import WAIT, eventually, settings_for, settled

pytestmark = pytest.mark.anyio


@dataclass
class Node:
    """One of the processes, with a client of its own."""

    services: Services
    client: AsyncHITLClient
    person: Person

    async def answer(self, request: ReviewRequest, value: str = "approve") -> ReviewRequest:
        """Decide as the reviewer who uses this process."""
        answer = NewAnswer(response_data=value, revision=request.revision)
        return (await self.services.lifecycle.decide(self.person, request.id, answer)).request


class DeafBroker:
    """Hears nothing, also not of its own process."""

    def publish(self, notices: list[Notice]) -> None:
        """Nobody is told."""

    async def wait(self, seconds: float) -> None:
        """Nothing ever comes."""
        await anyio.sleep(seconds)


@asynccontextmanager
async def node(url: str, folder: Path, secret: str, *, deaf: bool) -> AsyncGenerator[Node]:
    """One process over the database; its client has the key."""
    settings = settings_for(folder, database_url=SecretStr(url))
    async with running(settings, hosted_by="console", broker=DeafBroker() if deaf else None) as services:
        address = f"http://127.0.0.1:{services.keys.internal_port}"
        async with AsyncHITLClient.at(Fixed(Endpoint(address, secret, address))) as client:
            yield Node(services, client, Person(services.account.user_id, "Ada", Channel.INBOX, Assurance.SIGNED_IN))


async def new_key(url: str) -> str:
    """A key of the database's first person."""
    store = await open_postgres(url)
    try:
        account = await store.write(people.local_account)
        wanted = keys.NewKey("Test", account.user_id, scopes=tuple(Scope))
        return (await store.write(lambda tx: keys.create(tx, wanted)))[0].key
    finally:
        await store.aclose(WAIT)


@dataclass
class Pair:
    """Two processes over one database, used with the same key."""

    here: Node
    there: Node
    loop_id: str

    async def ask(self, text: str = "May I?", once_key: str | None = None) -> ReviewRequest:
        """A question, asked here."""
        new = NewRequest(kind=Kind.APPROVAL, request_text=text)
        return (await self.here.client.create_request(self.loop_id, new, idempotency_key=once_key)).request

    async def log_of(self, request: ReviewRequest) -> list[dict[str, Any]]:
        """The request's entries in the event log."""
        return await self.there.services.store.read(lambda tx: history(tx, request.id))

    async def asker_of(self, request: ReviewRequest) -> Agent:
        """Who asked, as the service knows it."""
        key_id = (await self.log_of(request))[0]["actor"].removeprefix("key:")
        return Agent(key_id, self.here.services.account.user_id)


@asynccontextmanager
async def pair(folder: Path, *, deaf: bool = False) -> AsyncGenerator[Pair]:
    """Two processes."""
    async with postgres.database() as url:
        secret = await new_key(url)
        async with (
            node(url, folder / "a", secret, deaf=deaf) as here,
            node(url, folder / "b", secret, deaf=deaf) as there,
        ):
            yield Pair(here, there, (await here.client.list_loops())[0].id)


async def decided(client: AsyncHITLClient, request: ReviewRequest, into: list[ReviewRequest]) -> None:
    """Wait for a decision."""
    into.append(await client.wait_for_decision(request, WAIT))


async def test_what_is_decided_at_one_process_is_told_at_the_other(tmp_path: Path) -> None:
    async with pair(tmp_path) as both:
        asked = [await both.ask(f"question {number}") for number in range(20)]
        results: list[ReviewRequest] = []
        with anyio.fail_after(WAIT):
            async with anyio.create_task_group() as tasks:
                for request in asked:
                    tasks.start_soon(decided, both.here.client, request, results)
                await settled()
                async with anyio.create_task_group() as answers:
                    for request in asked:
                        answers.start_soon(both.there.answer, request)
        assert Counter(request.decision for request in results) == {"approved": 20}


async def test_a_process_that_hears_nothing_finds_it_all_the_same(tmp_path: Path) -> None:
    async with pair(tmp_path, deaf=True) as both:
        request = await both.ask()
        results: list[ReviewRequest] = []
        with anyio.fail_after(WAIT):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(decided, both.there.client, request, results)
                await settled()
                await both.here.answer(request)
        assert [request.decision for request in results] == ["approved"]


async def test_of_many_answers_at_both_processes_one_counts(tmp_path: Path) -> None:
    async with pair(tmp_path) as both:
        for _ in range(10):
            request = await both.ask()
            outcomes: list[str] = []

            async def one(at: Node, value: str) -> None:
                try:
                    outcomes.append(str((await at.answer(request, value)).decision))  # noqa: B023  # within this round
                except Refused:
                    outcomes.append("too late")  # noqa: B023

            async with anyio.create_task_group() as tasks:
                for at in (both.here, both.there):
                    for value in ("approve", "reject"):
                        tasks.start_soon(one, at, value)
            assert outcomes.count("too late") == 3
            kept = await both.there.client.get_request(request.id)
            assert str(kept.decision) in outcomes

            entries = await both.log_of(request)
            assert [entry["type"] for entry in entries] == ["created", "completed"]
            assert faults(request.id, entries) == []


async def test_the_same_question_at_both_processes_is_asked_once(tmp_path: Path) -> None:
    async with pair(tmp_path) as both:
        new = NewRequest(kind=Kind.APPROVAL, request_text="Once?")
        for number in range(5):
            made: list[str] = []

            async def one(at: Node) -> None:
                created = await at.client.create_request(both.loop_id, new, idempotency_key=f"key {number}")  # noqa: B023
                made.append(created.request_id)  # noqa: B023

            async with anyio.create_task_group() as tasks:
                for _ in range(6):
                    tasks.start_soon(one, both.here)
                    tasks.start_soon(one, both.there)
            assert len(made) == 12
            assert len(set(made)) == 1


async def test_changes_answers_and_withdrawals_at_once_end_in_one_state(tmp_path: Path) -> None:
    """Each is done or refused with words; none fails, and the log tells the same story as the row."""
    async with pair(tmp_path) as both:
        for number in range(10):
            request = await both.ask()
            asker = await both.asker_of(request)
            refused: list[Refused] = []

            async def change(at: Node) -> None:
                await at.services.lifecycle.change(asker, request.id, RequestChange(request_text="Or so?"))  # noqa: B023

            async def cancel(at: Node) -> None:
                await at.services.lifecycle.cancel(asker, request.id)  # noqa: B023

            async def answer(at: Node) -> None:
                await at.answer(request)  # noqa: B023

            async def attempt(work: Callable[[Node], Awaitable[None]], at: Node) -> None:
                try:
                    await work(at)
                except Refused as error:
                    refused.append(error)  # noqa: B023

            async with anyio.create_task_group() as tasks:
                steps = [change, answer, change] if number % 2 else [change, cancel, answer]
                for step in steps:
                    for at in (both.here, both.there):
                        tasks.start_soon(attempt, step, at)
            assert {error.status for error in refused} <= {400, 409}
            kept = await both.here.client.get_request(request.id)
            entries = await both.log_of(request)
            types = [str(entry["type"]) for entry in entries]
            assert kept.revision == 1 + types.count("changed")
            assert (types.count("completed"), types.count("cancelled")) == (
                int(kept.status is Status.COMPLETED),
                int(kept.status is Status.CANCELLED),
            )
            assert faults(request.id, entries) == []


async def test_a_change_that_commits_late_reaches_the_stream_and_who_reads_on(tmp_path: Path) -> None:
    async with pair(tmp_path) as both:
        first = await both.ask()
        _, start = await both.here.client.changes_after(0)
        resume = start
        late = Hold(lambda tx: deciding.claim(tx, both.there.person, first.id))
        told: list[str] = []

        async def listen() -> None:
            async for item in both.here.client.stream(start):
                if isinstance(item, Change):
                    told.append(item.type)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            async with anyio.create_task_group() as writers:
                writers.start_soon(both.there.services.store.write, late)
                await late.is_entered()
                await both.ask("meanwhile")
                await eventually(lambda: said(told, "created"))
                changes, resume = await both.here.client.changes_after(start)
                assert [change.type for change in changes] == ["created"]
                assert resume == start, "nobody resumes above what is not there yet"
                late.release()
            await eventually(lambda: said(told, "claimed"))
            tasks.cancel_scope.cancel()
        for at in (both.here, both.there):
            changes, last = await at.client.changes_after(resume)
            assert [change.type for change in changes] == ["claimed", "created"]
            assert last == start + 2


async def said(told: list[str], word: str) -> bool:
    """Whether it was told."""
    return word in told


def make_due(tx: Tx) -> None:
    """A unit after which every request is overdue."""
    tx.connection.execute(update(requests).values(timeout_at=1))


async def test_overdue_requests_are_closed_once_by_whoever_comes_first(tmp_path: Path) -> None:
    async with pair(tmp_path) as both:
        asked = [await both.ask(f"question {number}") for number in range(30)]
        await both.here.services.store.write(make_due)
        async with anyio.create_task_group() as tasks:
            for at in (both.here, both.there, both.here, both.there):
                tasks.start_soon(at.services.lifecycle.act_on_due)
        for request in asked:
            entries = await both.log_of(request)
            assert [entry["type"] for entry in entries] == ["created", "timeout"]
