"""One look shows what many wait for, whatever else the key's account asks (H30)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.outcome import Outcome
from hitl_mcp.errors import NotFound
from hitl_mcp.sdk.cloud.backend import Cloud as CloudBackend
from hitl_mcp.sdk.cloud.reading import read_request
from tests.cloud.simulated import Manners
from tests.cloud.simulated.views import request_view
from tests.cloud.stage import HOUR, Stage, now, outcome, simulated_time, stage, worst_hour

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return simulated_time()


async def asked(scene: Stage, number: int, between: int = 0) -> list[ReviewRequest]:
    """Requests of our key, with foreign ones in between; they cost no call, because the budget is not the subject."""
    found: list[ReviewRequest] = []
    for _ in range(number):
        name = scene.cloud.ask(scene.loop, key=scene.key, processing_type="deferred", timeout_seconds=30 * 86_400)
        found.append(read_request(request_view(scene.cloud.requests[name], scene.cloud.manners)))
        await foreign(scene, between)
    return found


async def foreign(scene: Stage, number: int) -> list[str]:
    """Requests of somebody else, a moment after each other."""
    found: list[str] = []
    for _ in range(number):
        await anyio.sleep(0.1)
        found.append(scene.cloud.ask(scene.loop))
    return found


async def all_told(
    scene: Stage, backend: CloudBackend, waited: list[ReviewRequest], *, every: float, answered: int
) -> list[float]:
    """Wait for all of them while `answered` are answered, one each `every` seconds; how late each was told."""
    late: list[float] = []

    async def one(request: ReviewRequest) -> None:
        assert await outcome(backend, request, 100 * HOUR) is Outcome.ANSWERED
        late.append(now() - (scene.cloud.requests[request.id].response_at or 0))

    async with anyio.create_task_group() as tasks:
        for request in waited:
            tasks.start_soon(one, request)
        for request in waited[:: max(1, len(waited) // answered)][:answered]:
            await anyio.sleep(every)
            scene.cloud.answer(request.id, "Approve")
        with anyio.fail_after(3 * HOUR):
            while len(late) < answered:
                await anyio.sleep(1)
        tasks.cancel_scope.cancel()
    return late


@pytest.mark.parametrize("list_totals", [True, False])
@pytest.mark.parametrize("list_answers", [True, False])
async def test_a_hundred_waiting_are_served_by_one_page(tmp_path: Path, list_totals: bool, list_answers: bool) -> None:
    scene = stage(tmp_path, Manners(list_totals=list_totals, list_answers=list_answers))
    await foreign(scene, 500)
    async with scene.backend() as backend:
        names = await asked(scene, 100)
        late = await all_told(scene, backend, names, every=200.0, answered=10)
    assert worst_hour(scene.looks()) <= 60
    # one page shows all; where lists carry no answers, each decision costs a look of its own besides
    assert max(late) < (130 if list_answers else 4 * 130)


@pytest.mark.parametrize("list_totals", [True, False])
async def test_old_ones_are_found_behind_five_hundred_newer(tmp_path: Path, list_totals: bool) -> None:
    scene = stage(tmp_path, Manners(list_totals=list_totals))
    await foreign(scene, 230)
    async with scene.backend() as backend:
        names = await asked(scene, 3)
        await foreign(scene, 500)
        late = await all_told(scene, backend, names, every=1_500.0, answered=3)
    assert max(late) < 130
    assert worst_hour(scene.looks()) <= 60


@pytest.mark.parametrize("list_totals", [True, False])
async def test_wide_spans_take_turns(tmp_path: Path, list_totals: bool) -> None:
    scene = stage(tmp_path, Manners(list_totals=list_totals))
    async with scene.backend() as backend:
        names = await asked(scene, 6, between=90)
        late = await all_told(scene, backend, names, every=1_800.0, answered=6)
    assert max(late) < 6 * 130
    assert worst_hour(scene.looks()) <= 60


@pytest.mark.parametrize("list_totals", [True, False])
async def test_deletions_before_a_place_are_stepped_back_over(tmp_path: Path, list_totals: bool) -> None:
    scene = stage(tmp_path, Manners(list_totals=list_totals))
    others, late = await foreign(scene, 300), list[float]()
    async with scene.backend() as backend:
        names = await asked(scene, 3)
        await foreign(scene, 200)

        async def delete() -> None:
            for name in others:
                await anyio.sleep(10)
                scene.cloud.delete(name)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(delete)
            late += await all_told(scene, backend, names, every=1_000.0, answered=3)
            tasks.cancel_scope.cancel()
    assert max(late) < 4 * 130


async def test_what_was_deleted_is_said_to_be_gone(tmp_path: Path) -> None:
    scene = stage(tmp_path)
    async with scene.backend() as backend:
        names = await asked(scene, 3)
        scene.cloud.delete(names[1].id)
        scene.cloud.answer(names[2].id, "Approve", at=now() + 400)
        with pytest.raises(NotFound, match="NOT approved"), backend.watching(names[0]):
            await outcome(backend, names[1])
        with backend.watching(names[0]):
            assert await outcome(backend, names[2]) is Outcome.ANSWERED


async def test_what_needs_several_pages_is_promised_later(tmp_path: Path) -> None:
    scene, promised = stage(tmp_path), ""
    async with scene.backend() as backend:
        waited = await asked(scene, 4, between=150)
        async with anyio.create_task_group() as tasks:
            for request in waited:
                tasks.start_soon(outcome, backend, request, 100 * HOUR)
            await anyio.sleep(HOUR)
            promised = backend.staleness() or ""
            tasks.cancel_scope.cancel()
    assert "up to 8 minutes" in promised or "up to 9 minutes" in promised, promised
