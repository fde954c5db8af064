"""The event log tells who did what, without gaps, and shows accidents and partial edits (D6, H24)."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hitl_mcp.contract import routes
from hitl_mcp.errors import Conflict, Refused
from tests.service.chain import faults
from tests.service.stage import Place, Stage, stage
from tests.world import SimulatedClock, eventually

pytestmark = pytest.mark.anyio


async def a_long_story(on: Stage) -> str:
    """A request with seven entries."""
    request_id = (await on.ask_approval("May I ünlink /tmp/🙂?", context={"why": "tidy\nup"})).request_id
    await on.reviewer.do(routes.REQUEST_CLAIM, request_id)
    await on.reviewer.do(routes.REQUEST_RELEASE, request_id)
    await on.raw("PATCH", routes.REQUEST.format(request_id=request_id), {"request_text": "May I delete it?"})
    await on.reviewer.do(routes.REQUEST_CLAIM, request_id)
    await on.reviewer.answer(request_id, "approve", revision=2, comment="Go ‘ahead’")
    await on.agent.deliver_request(request_id)
    return request_id


async def test_each_step_is_told_with_who_and_what_and_the_chain_holds(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        request_id = await a_long_story(on)
        entries = await on.history(request_id)
        account = on.services.account
        agent, person = f"key:{on.agent_id}", f"user:{account.user_id}"
        assert [(entry["seq"], entry["type"], entry["actor"]) for entry in entries] == [
            (1, "created", agent), (2, "claimed", person), (3, "released", person), (4, "changed", agent),
            (5, "claimed", person), (6, "completed", person), (7, "delivered", agent),
        ]  # fmt: skip
        assert {entry["at"] for entry in entries} == {clock.now}
        assert faults(request_id, entries) == []
        request = await on.agent.get_request(request_id)
        created, changed, completed = entries[0]["data"], entries[3]["data"], entries[5]["data"]
        assert created["view_digest"] == changed["before"]["view_digest"]
        assert changed["after"] == {"request_text": "May I delete it?", "view_digest": request.view_digest}
        assert completed == {
            "response_data": "approve", "comment": "Go ‘ahead’", "revision": 2, "view_digest": request.view_digest,
            "channel": "terminal", "assurance": "same_machine_user",
        }  # fmt: skip


async def test_every_end_is_told_once(place: Place) -> None:
    clock = SimulatedClock()
    async with stage(place, clock=clock) as on:
        cancelled, overdue = await on.ask_approval(), await on.ask_approval(timeout_seconds=60)
        await on.agent.cancel_request(cancelled.request_id)
        clock.move(60)

        async def ended() -> bool:
            return len(await on.history(overdue.request_id)) == 2

        await eventually(ended)
        assert (await on.history(cancelled.request_id))[-1]["data"] == {"previous_status": "pending"}
        for created, end, actor in (
            (cancelled, "cancelled", f"key:{on.agent_id}"),
            (overdue, "timeout", "system"),
        ):
            await on.agent.deliver_request(created.request_id)
            await on.agent.deliver_request(created.request_id)
            entries = await on.history(created.request_id)
            assert [entry["type"] for entry in entries] == ["created", end, "delivered"]
            assert entries[1]["actor"] == actor
            assert faults(created.request_id, entries) == []


async def test_what_was_refused_leaves_nothing_in_the_log(place: Place) -> None:
    async with stage(place) as on:
        request_id = (await on.ask_approval()).request_id
        await on.reviewer.answer(request_id, "reject")
        before = await on.history(request_id)
        for refused in (
            on.reviewer.answer(request_id, "approve"),
            on.reviewer.do(routes.REQUEST_CLAIM, request_id),
            on.agent.cancel_request(request_id),
            on.raw("PATCH", routes.REQUEST.format(request_id=request_id), {"request_text": "?"}),
        ):
            with pytest.raises(Refused):
                await refused
        assert await on.history(request_id) == before


async def test_logs_of_requests_made_at_once_do_not_mix(place: Place) -> None:
    async with stage(place) as on:
        ids = [(await on.ask_approval()).request_id for _ in range(3)]
        for request_id in (*ids, *reversed(ids)):
            await on.reviewer.do(routes.REQUEST_CLAIM, request_id)
        logs = [await on.history(request_id) for request_id in ids]
        for request_id, entries in zip(ids, logs, strict=True):
            assert [entry["type"] for entry in entries] == ["created", "claimed", "claimed"]
            assert faults(request_id, entries) == []
            assert faults(ids[0], entries) == [] or request_id != ids[0]  # the id is part of what is hashed
        assert faults(ids[0], logs[1]) != []


MINE = "WHERE request_id = :id AND type ="
NOTHING = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"  # SHA-256 of {}
EDITS = {
    "nothing": [],
    "the answer": [f"UPDATE events SET data = replace(data, '\"reject\"', '\"approve\"') {MINE} 'completed'"],
    "the answer and its hash": [f"UPDATE events SET data = '{{}}', data_hash = '{NOTHING}' {MINE} 'completed'"],
    "who": [f"UPDATE events SET actor = 'user:ffffffffffffffffffffffff' {MINE} 'completed'"],
    "when": [f"UPDATE events SET at = at - 1 {MINE} 'claimed'"],
    "what": [f"UPDATE events SET type = 'cancelled' {MINE} 'completed'"],
    "an entry taken out": [f"DELETE FROM events {MINE} 'claimed'"],
    "the first entry taken out": [f"DELETE FROM events {MINE} 'created'"],
    "two entries exchanged": [
        f"UPDATE events SET seq = 9 {MINE} 'claimed'",
        f"UPDATE events SET seq = 2 {MINE} 'completed'",
        f"UPDATE events SET seq = 3 {MINE} 'claimed'",
    ],
    "an entry put behind": [
        "INSERT INTO events (request_id, seq, type, actor, at, data, data_hash, previous_hash, hash) "
        f"SELECT request_id, seq + 1, type, actor, at, data, data_hash, hash, hash FROM events {MINE} 'completed'"
    ],
}


async def test_an_edited_row_in_the_database_file_is_found_out(folder: Path, tmp_path: Path) -> None:
    ids: dict[str, str] = {}
    async with stage(folder) as on:
        for edit in EDITS:
            ids[edit] = (await on.ask_approval()).request_id
            await on.reviewer.do(routes.REQUEST_CLAIM, ids[edit])
            await on.reviewer.answer(ids[edit], "reject")
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    with closing(sqlite3.connect(copy / "hitl.db")) as file, file:
        for edit, statements in EDITS.items():
            for statement in statements:
                assert file.execute(statement, {"id": ids[edit]}).rowcount == 1, edit
    async with stage(folder) as before:
        assert [faults(request_id, await before.history(request_id)) for request_id in ids.values()] == [[]] * len(ids)
    async with stage(copy) as after:
        for edit, request_id in ids.items():
            assert bool(faults(request_id, await after.history(request_id))) == (edit != "nothing"), edit


async def test_a_decided_request_that_was_edited_contradicts_its_log(folder: Path) -> None:
    async with stage(folder) as on:
        request_id = (await on.ask_approval()).request_id
        await on.reviewer.answer(request_id, "reject")
    with closing(sqlite3.connect(folder / "hitl.db")) as file, file:
        file.execute("UPDATE requests SET response_data = '\"approve\"'")
    async with stage(folder) as on:
        request = await on.agent.get_request(request_id)
        completed = (await on.history(request_id))[-1]
        assert faults(request_id, [completed]) != []
        assert (request.response_data, completed["data"]["response_data"]) == ("approve", "reject")


async def test_a_request_whose_log_was_cut_cannot_be_decided(folder: Path) -> None:
    """An entry never follows nothing: rather no decision than one that cannot be proved."""
    async with stage(folder) as on:
        request_id = (await on.ask_approval()).request_id
    with closing(sqlite3.connect(folder / "hitl.db")) as file, file:
        file.execute("DELETE FROM events")
    async with stage(folder) as on:
        with pytest.raises(Refused) as refused:
            await on.reviewer.answer(request_id, "approve")
        assert not isinstance(refused.value, Conflict)
        assert (await on.agent.get_request(request_id)).response_data is None
