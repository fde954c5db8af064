"""The TypeScript SDKs, in Node."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import psutil
import pytest

from tests.conftest import services_of
from tests.matrix.clients.story import Wire
from tests.matrix.installed import CLIENTS
from tests.matrix.meeting import how, judge, meeting, told_by
from tests.node import INSTALL_SECONDS
from tests.world import environment

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(INSTALL_SECONDS * 2)]
HANDSHAKE, MODERN = "2025-11-25", "2026-07-28"


@pytest.mark.parametrize("transport", ["stdio", "http", pytest.param("sse", marks=pytest.mark.nightly)])
async def test_version_1_understands_the_server(folder: Path, tmp_path: Path, transport: str) -> None:
    async with meeting(folder) as served:
        told = await told_by("typescript_v1.mjs", how(served, transport), tmp_path)
    judge(told)
    assert told["protocol"] in (HANDSHAKE, None), "stdio and SSE of 1.x do not tell the protocol"


@pytest.mark.parametrize(
    ("transport", "mode", "protocol"),
    [
        pytest.param("stdio", "legacy", HANDSHAKE, marks=pytest.mark.nightly),
        ("stdio", "auto", MODERN),
        pytest.param("http", "legacy", HANDSHAKE, marks=pytest.mark.nightly),
        ("http", "auto", MODERN),
        ("sse", "legacy", HANDSHAKE),
    ],
)
async def test_version_2_understands_the_server(
    folder: Path, tmp_path: Path, transport: str, mode: str, protocol: str
) -> None:
    async with meeting(folder) as served:
        told = await told_by("typescript_v2.mjs", how(served, transport, mode=mode), tmp_path)
    judge(told)
    assert told["protocol"] == protocol


async def test_a_client_that_probes_with_a_second_copy_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    """TypeScript 2.x in `auto` mode starts a stdio server, asks which era it speaks, drops it and starts another."""
    started = tmp_path / "started"
    home = tmp_path / "home"
    home.mkdir()
    script = [str(CLIENTS / "noted_server.py"), str(started)]
    told: Wire = {"transport": "stdio", "command": sys.executable, "args": ["-P", *script], "mode": "auto",
                  "env": environment(folder), "only_look": True}  # fmt: skip
    seen = await told_by("typescript_v2.mjs", json.dumps(told), home)

    assert seen["protocol"] == MODERN and seen["tools"]
    copies = [int(line) for line in started.read_text(encoding="utf-8").split()]
    assert len(copies) == 2
    assert not any(psutil.pid_exists(pid) for pid in copies)
    assert not folder.exists() and services_of(folder) == []
    assert list(home.iterdir()) == []
