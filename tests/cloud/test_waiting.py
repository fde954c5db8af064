"""Waiting on the cloud: decisions arrive, within the budget (H31)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from hitl_mcp.contract.outcome import Outcome
from hitl_mcp.errors import Unreachable
from tests.cloud.stage import HOUR, decided, now, outcome, question, simulated_time, stage, worst_hour

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return simulated_time()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("Approve", Outcome.APPROVED), ("Reject", Outcome.REJECTED), ("Needs Changes", Outcome.NEEDS_CHANGES)],
)
async def test_an_approval_comes_back_as_it_was_decided(tmp_path: Path, answer: str, expected: Outcome) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        request = (await scene.approval(backend)).request
        scene.cloud.answer(request.id, answer, at=now() + 60)
        assert await outcome(backend, request) is expected


async def test_a_young_question_is_answered_within_seconds_of_the_click(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        created = await backend.create(scene.loop, question(), None, {})
        scene.cloud.answer(created.request_id, "Deploy now", at=now() + 20)
        answered = await decided(backend, created.request)
        assert answered.response_data == "Deploy now"
        assert now() - answered.response_at.timestamp() < 10 if answered.response_at else False
        assert len(scene.looks()) <= 6


async def test_hours_of_waiting_stay_within_sixty_looks_in_any_hour(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        request = (await scene.approval(backend)).request
        scene.cloud.answer(request.id, "Approve", at=now() + 4 * HOUR - 60)
        assert await outcome(backend, request, 5 * HOUR) is Outcome.APPROVED
        assert worst_hour(scene.looks()) <= 60
        assert now() - scene.cloud.requests[request.id].response_at < 130  # pyright: ignore[reportOperatorIssue]


async def test_questions_all_day_stay_within_sixty_looks_in_any_hour(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    late: list[float] = []
    async with scene.backend() as backend, anyio.create_task_group() as tasks:

        async def one(number: int) -> None:
            await anyio.sleep(number * 400)
            request = (await scene.approval(backend, priority="critical")).request
            scene.cloud.answer(request.id, "Approve", at=now() + 300)
            assert await outcome(backend, request) is Outcome.APPROVED
            late.append(now() - (scene.cloud.requests[request.id].response_at or 0))

        for number in range(40):
            tasks.start_soon(one, number)
    assert worst_hour(scene.looks()) <= 60
    assert len(late) == 40
    assert max(late) < 130


@pytest.mark.parametrize("damage", ["overwritten", "emptied", "deleted"])
async def test_a_damaged_share_costs_time_but_no_decision(tmp_path: Path, damage: str) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend, scene.backend() as other:
        request = (await scene.approval(backend)).request
        with backend.watching(request), other.watching(request):
            await anyio.sleep(30)
            (path,) = tmp_path.rglob("*.sqlite3")
            if damage == "deleted":
                path.unlink()
            else:
                with path.open("r+b") as file:
                    file.write(b"garbage, for the length of a page or so" * 1_000)
                    file.truncate(None if damage == "overwritten" else 0)
            scene.cloud.answer(request.id, "Approve", at=now() + 20)
            assert await outcome(backend, request) is Outcome.APPROVED
            assert await outcome(other, request) is Outcome.APPROVED
        assert now() - (scene.cloud.requests[request.id].response_at or 0) < 150
    assert worst_hour(scene.looks()) <= 60


async def test_a_folder_that_cannot_be_written_is_said_and_creates_go_on(tmp_path: Path) -> None:
    (tmp_path / "cloud").write_text("a file where the folder should be")
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        with pytest.raises(Unreachable, match="data folder"):
            await backend.look("0" * 24)
        await scene.approval(backend)
    assert len(scene.cloud.requests) == 1
