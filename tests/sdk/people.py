"""Scripted reviewers of a served backend, for programs that run in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hitl_mcp.contract import routes
from tests.sdk.backends import Own, Place, Simulated
from tests.world import WAIT

ROOT = Path(__file__).parents[2]
Reviewer = Callable[[dict[str, Any]], Any]
"""What a person answers to a request, as the wire has it; None leaves it open."""


def environment_of(place: Place, folder: Path, loop: str) -> dict[str, str]:
    """The environment of a program that asks in one loop of a backend."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "SYSTEMROOT") if name in os.environ}
    return kept | place.environment(folder) | {"HITL_LOOP": loop, "PYTHONWARNINGS": "error"}


def waiting(place: Place, loop: str) -> list[dict[str, Any]]:
    """The open requests of a loop, oldest first."""
    if isinstance(place, Simulated):
        known = place.cloud.requests.values()
        return [{"id": one.id, "response_type": "single_select"} for one in known if one.status == "pending"]
    assert isinstance(place, Own)
    path = routes.LOOP_REQUESTS.format(loop_id=loop)
    return place.service.key.get(path, status="pending", sort="created_at_asc").data["requests"]


def run_with_people(
    program: Sequence[str], place: Place, folder: Path, loop: str, reviewer: Reviewer, *, seconds: float = WAIT * 2
) -> str:
    """What a Python program printed, while a person answers what it asks.

    Args:
        program: the arguments of the interpreter.
        seconds: the program's bound.
    """
    with subprocess.Popen(
        [sys.executable, *program], cwd=ROOT, env=environment_of(place, folder, loop), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        until = time.monotonic() + seconds
        try:
            while process.poll() is None and time.monotonic() < until:
                for request in waiting(place, loop):
                    if (answer := reviewer(request)) is not None:
                        place.answer(request["id"], answer)
                try:
                    process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            process.kill()
        said, complaints = process.communicate(timeout=WAIT)
    assert process.returncode == 0, complaints
    return said
