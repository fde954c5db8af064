"""The log outside the service: exported, verified offline, anchored; and what retention leaves of a request (H24)."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import NewRequest
from hitl_mcp.errors import BadRequest
from hitl_mcp.sdk.local import ask
from hitl_mcp.service.operating.anchors import FILE, KEY
from hitl_mcp.verify import Report, verify
from tests.inbox.test_languages import speaking
from tests.world import SimulatedClock, World, sign_in, world

pytestmark = pytest.mark.anyio

MARK = "ZEPHYR-1f0e9d"
DAY = 86_400


async def console(here: World, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """A call of whoever has the machine's terminal."""
    return await ask(here.found.console(), method, path, body)


async def exported(here: World) -> list[str]:
    """The log as `hitl-mcp events export` writes it."""
    return await exported_by(lambda path: console(here, "GET", path))


async def exported_by(get: Callable[[str], Awaitable[dict[str, Any]]]) -> list[str]:
    """The same, read with a call of the console."""
    lines, after = [json.dumps({"kind": "export", "after": 0})], 0
    while entries := (await get(f"{routes.LOG}?after={after}"))["entries"]:
        lines += [json.dumps(entry) for entry in entries]
        after = entries[-1]["position"]
    return [*lines, json.dumps({"kind": "end", "entries": len(lines) - 1})]


@asynccontextmanager
async def busy(folder: Path, clock: SimulatedClock, **settings: Any) -> AsyncGenerator[World]:
    """A service where three requests were decided, and one is open."""
    async with world(folder, clock=clock, **settings) as here:
        for number in range(3):
            made = await here.ask_approval(f"{MARK} {number}", context={"details": MARK})
            await here.reviewer.answer(made.request_id, "approve", comment=MARK)
        await here.ask_approval("Still open")
        yield here


def rewritten(lines: list[str]) -> list[str]:
    """The first request's whole chain made anew with other words, as who owns the database could."""
    entries = [json.loads(line) for line in lines]
    first = entries[1]["request_id"]
    previous = "0" * 64
    for entry in entries:
        if entry.get("request_id") != first:
            continue
        entry["data"] = entry["data"].replace(MARK, "other words")
        entry["data_hash"] = hashlib.sha256(entry["data"].encode()).hexdigest()
        entry["previous_hash"] = previous
        parts = (previous, first, entry["seq"], entry["type"], entry["actor"], entry["at"], entry["data_hash"])
        previous = entry["hash"] = hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()
    return [json.dumps(entry) for entry in entries]


def edited(lines: list[str], index: int, **fields: Any) -> list[str]:
    """One entry with other fields."""
    entry = json.loads(lines[index]) | fields
    return [*lines[:index], json.dumps(entry), *lines[index + 1 :]]


def without(lines: list[str], *gone: int) -> list[str]:
    """Some entries taken out, and the count at the end put right."""
    left = [line for index, line in enumerate(lines) if index not in gone]
    return [*left[:-1], json.dumps({"kind": "end", "entries": len(left) - 2})]


def swapped(lines: list[str], one: int, other: int) -> list[str]:
    """Two entries in each other's place."""
    moved = list(lines)
    moved[one], moved[other] = moved[other], moved[one]
    return moved


TAMPERED: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "one byte of an entry": (lambda lines: edited(lines, 2, at=json.loads(lines[2])["at"] + 1), "was changed"),
    "one byte of its data": (lambda lines: [line.replace(MARK, MARK.lower()) for line in lines], "other data"),
    "data taken away": (lambda lines: edited(lines, 1, data="{}"), "no later entry says that retention"),
    "an entry in the middle": (lambda lines: without(lines, 1), "entries between are missing"),
    "two entries swapped": (lambda lines: swapped(lines, 1, 2), "stands before"),
    "the file's tail": (lambda lines: lines[:-2], "its last lines are missing"),
    "a line that is none": (lambda lines: [*lines[:3], "{", *lines[3:]], "no entry of an export"),
}


async def test_an_export_is_verified_offline_and_every_edit_is_named(folder: Path) -> None:
    clock = SimulatedClock()
    async with busy(folder, clock) as here:
        clock.move(120)
        assert (await console(here, "POST", routes.ANCHORS, {}))["written"] == 1
        clock.move(DAY)
        made = await here.ask_approval("Later")
        await (await sign_in(here.found)).answer(made.request_id, "reject")
        clock.move(120)
        await console(here, "POST", routes.ANCHORS, {})
        lines = await exported(here)
    anchors = (folder / FILE).read_text().splitlines()
    key = bytes.fromhex((folder / KEY).read_text())
    assert (folder / KEY).stat().st_mode & 0o777 == 0o600

    found = verify(lines, anchors, key)
    assert found.whole, found.faults
    assert (found.chains, found.anchors, found.keyed, found.dropped) == (5, 2, True, 0)
    assert "2 anchors agree" in " ".join(found.says())
    assert "nothing proves that a chain was not written anew" in " ".join(verify(lines).says())

    for what, (change, words) in TAMPERED.items():
        wrong = verify(change(lines), anchors, key)
        assert any(words in fault.words for fault in wrong.faults), (what, wrong.faults)

    anew = rewritten(lines)
    assert verify(anew).whole, "a chain that is written anew as a whole is whole"
    assert said(verify(anew, anchors, key)) == {"the log is not the one that was anchored: something before it was "
                                                "written anew"}  # fmt: skip
    cut = without(lines, *range(4, len(lines) - 1))
    assert verify(cut).whole
    assert any("the file ends at" in words for words in said(verify(cut, anchors, key)))
    assert said(verify(lines, anchors, b"another")) == {"was not made with this key"}
    assert "does not follow its predecessor" in said(verify(lines, anchors[1:], key))
    assert any("there are none in their file" in words for words in said(verify(lines, [], key)))


def said(report: Report) -> set[str]:
    """What a report finds."""
    return {fault.words for fault in report.faults}


@pytest.mark.parametrize("how", ["delete", "archive"])
async def test_retention_leaves_the_record_and_no_byte_of_the_words(folder: Path, tmp_path: Path, how: str) -> None:
    clock = SimulatedClock()
    kept = {"retention_days": 30, "retention": how, "retention_dir": tmp_path / "archive"}
    async with busy(folder, clock, **kept) as here:
        question = {"request_text": MARK, "response_type": "text", "response_config": {"max_length": 99},
                    "default_response": MARK}  # fmt: skip
        asked = await here.agent.create_request(here.loop_id, NewRequest.model_validate(question))
        await here.reviewer.answer(asked.request_id, f"{MARK} too")
        await here.raw("POST", routes.REQUEST_FEEDBACK.format(request_id=asked.request_id),
                       {"feedback": {"rating": 5, "comment": MARK}})  # fmt: skip
        clock.move(120)
        await console(here, "POST", routes.ANCHORS, {})
        assert (await console(here, "POST", routes.RETENTION, {"dry_run": True}))["requests"] == 0
        clock.move(31 * DAY)
        open_one = await here.ask_approval(f"young {MARK[:6]}")
        assert (await console(here, "POST", routes.RETENTION, {"dry_run": True}))["requests"] == 4
        done = await console(here, "POST", routes.RETENTION, {})
        assert (done["requests"], done["how"]) == (4, how)
        assert (await console(here, "POST", routes.RETENTION, {}))["requests"] == 0
        lines = await exported(here)
        left = await here.agent.get_request(asked.request_id)
        approved = [item for item in await here.agent.list_requests() if item.decision == "approved"]
        async with speaking(here, "en") as browser:
            for path in ("/", f"/requests/{asked.request_id}", f"/requests/{approved[0].id}", "/history"):
                page = await browser.get(path)
                assert page.status_code == 200 and MARK not in page.text, path
        assert (await here.agent.get_request(open_one.request_id)).request_text.startswith("young")
        for path in (folder / "hitl.db", folder / "hitl.db-wal"):
            assert MARK.encode() not in path.read_bytes(), path
    assert MARK.encode() not in (folder / "hitl.db").read_bytes()
    assert (left.status.value, left.request_text, left.response_data, left.response_comment) == (
        "completed",
        "",
        None,
        None,
    )
    assert left.response_at is not None and left.response_by is not None
    assert len(approved) == 3, "what became of an approval stays"
    found = verify(lines, (folder / FILE).read_text().splitlines(), bytes.fromhex((folder / KEY).read_text()))
    assert found.whole and found.dropped > 8 and found.anchors == 1, found
    archives = list((tmp_path / "archive").glob("*.jsonl.gz"))
    if how == "delete":
        assert archives == []
    else:
        with gzip.open(archives[0], "rt") as file:
            entries = [json.loads(line) for line in file]
        assert len(entries) == 4
        assert all(entry["events"] and MARK in json.dumps(entry) for entry in entries)


async def test_without_a_setting_everything_is_kept(folder: Path) -> None:
    async with world(folder) as here:
        with pytest.raises(BadRequest, match="HITL_RETENTION_DAYS is not set"):
            await console(here, "POST", routes.RETENTION, {})
