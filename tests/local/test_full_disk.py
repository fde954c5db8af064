"""Full, failing and read-only disks (H17, H18): words, nothing lost, and on it goes when there is space again.

A disk is made full or read-only by mounting a small one, which needs root on Linux. Running services are also limited
by `prlimit`, which needs nothing.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import anyio
import pytest

from tests.conftest import services_of
from tests.local.machine import ask_approval, check, open_texts, text_of, used
from tests.local.test_bad_states import fingerprint, said_everywhere
from tests.world import end_service, eventually, running_service, sign_in, stdio_client

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform != "linux", reason="tmpfs and prlimit of Linux")]


def _command(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True, timeout=30).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A disk of 1 MB, mounted for this test."""
    place = tmp_path / "disk"
    place.mkdir()
    if not _command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)):
        pytest.skip("mounting a small disk needs root")
    try:
        yield place
    finally:
        anyio.run(_end, place / "data")
        assert _command("umount", str(place)) or _command("umount", "--lazy", str(place))


async def _end(folder: Path) -> None:
    await end_service(folder)

    async def none_left() -> bool:
        return not services_of(folder)

    await eventually(none_left)


def fill(place: Path) -> Path:
    """Use up all of its space; the file that does."""
    filler = place / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (4096, 512, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    return filler


async def test_a_full_disk_is_named_at_the_first_start(small_disk: Path) -> None:
    filler = fill(small_disk)
    await said_everywhere(small_disk / "data", str(small_disk / "data"), "space")
    filler.unlink()
    async with stdio_client(small_disk / "data") as client:
        await ask_approval(client, "Now there is space")
    assert list(await open_texts(small_disk / "data")) == ["Now there is space"]


async def test_a_full_disk_is_named_at_a_later_start_and_nothing_is_lost(small_disk: Path) -> None:
    folder = small_disk / "data"
    request_id = await used(folder)
    filler = fill(small_disk)
    before = fingerprint(folder)
    await said_everywhere(folder, "full", "space")
    assert fingerprint(folder) == before
    filler.unlink()
    async with stdio_client(folder) as client:
        assert (await check(client, request_id))["outcome"] == "pending"


async def test_a_disk_that_fills_up_under_a_running_service_loses_nothing(small_disk: Path) -> None:
    folder = small_disk / "data"
    async with stdio_client(folder) as client:
        request_id = (await ask_approval(client, "Before"))["request_id"]
        service = await running_service(folder)
        reviewer = await sign_in(service)
        filler = fill(small_disk)

        refused, number = "", 0
        for number in range(200):  # the write-ahead log may have some room left
            created = await client.call_tool("request_human_approval", {"action": f"Full {number}", "wait_seconds": 0})
            if created.is_error:
                refused = text_of(created)
                break
        assert "disk is full" in refused
        assert "nothing was changed" in refused
        assert "Free some space" in refused
        assert f"Full {number}" not in text_of(await client.call_tool("list_requests", {"limit": 100}))
        assert (await check(client, request_id))["outcome"] == "pending", "reading needs no space"

        filler.unlink()
        await reviewer.answer(request_id, "approve")
        assert (await check(client, request_id))["approved"] is True
        after = await ask_approval(client, f"Full {number}")
        assert after["joined"] is False
        assert (await running_service(folder)).state == service.state, "the same service all along"
    assert f"Full {number}" in await open_texts(folder)


@pytest.mark.parametrize("fresh", [True, False], ids=["never used", "used before"])
async def test_a_read_only_folder_is_named_and_what_to_do(small_disk: Path, fresh: bool) -> None:
    folder = small_disk / "data"
    if fresh:
        folder.mkdir(mode=0o700)
    else:
        await used(folder)
    before = fingerprint(folder)
    assert _command("mount", "-o", "remount,ro", str(small_disk))
    await said_everywhere(folder, str(folder), "HITL_DATA_DIR")
    assert fingerprint(folder) == before


async def test_a_disk_that_refuses_to_grow_files_is_named_and_the_service_goes_on_afterwards(folder: Path) -> None:
    async with stdio_client(folder) as client:
        kept = await ask_approval(client, "Kept")
        service = await running_service(folder)
        before = resource.prlimit(service.state.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(service.state.pid, resource.RLIMIT_FSIZE, (1024, before[1]))
        refused = await client.call_tool("request_human_approval", {"action": "Refused", "wait_seconds": 0})
        assert refused.is_error
        assert "nothing was changed" in text_of(refused)
        assert "disk" in text_of(refused)

        resource.prlimit(service.state.pid, resource.RLIMIT_FSIZE, before)
        again = await ask_approval(client, "Refused")
        assert again["joined"] is False
        assert (await running_service(folder)).state == service.state
    assert set((await open_texts(folder)).values()) == {kept["request_id"], again["request_id"]}
