"""The programs in docs/clients.md, each with its framework's real client, our stdio server and a person."""

from __future__ import annotations

import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from tests.elsewhere import environment_with
from tests.node import INSTALL_SECONDS
from tests.world import WAIT, Reviewer, environment, world

pytestmark = [pytest.mark.anyio, pytest.mark.nightly, pytest.mark.timeout(INSTALL_SECONDS * 2)]
PAGE = (Path(__file__).parent.parent / "docs" / "clients.md").read_text(encoding="utf-8")
FRAMEWORKS = dict(re.findall(r"^## (.+)\n(?:[^#]+?)`(\S+==\S+)`:$", PAGE, re.MULTILINE))
TOO_LATE = 5.5
"""Seconds after which the OpenAI Agents SDK would have given up by default."""


def program(framework: str) -> str:
    """The framework's code block."""
    return PAGE.split(f"\n## {framework}\n")[1].split("```python\n")[1].split("```")[0]


def test_the_page_names_the_frameworks() -> None:
    assert list(FRAMEWORKS) == ["OpenAI Agents SDK", "LangChain", "pydantic-ai"]


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_a_frameworks_agent_asks_and_gets_the_decision(framework: str, folder: Path, tmp_path: Path) -> None:
    python = await anyio.to_thread.run_sync(environment_with, FRAMEWORKS[framework])
    script = tmp_path / "agent.py"
    script.write_text(program(framework), encoding="utf-8")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    patience = TOO_LATE if framework == "OpenAI Agents SDK" else 0
    async with world(folder) as here, anyio.create_task_group() as tasks:
        tasks.start_soon(approve, here.reviewer, patience)
        said = await told_by([str(python), str(script)], environment(folder, PATH=path))
        tasks.cancel_scope.cancel()
        assert "'request_human_approval', 'ask_human'" in said
        assert said.splitlines()[-1] == "approved True"


async def told_by(command: list[str], env: dict[str, str]) -> str:
    """What a program writes, which must end well."""
    with anyio.fail_after(WAIT * 3):
        done = await anyio.run_process(command, env=env, check=False)
    said = done.stdout.decode()
    assert done.returncode == 0, f"{said}\n{done.stderr.decode()[-4000:]}"
    return said


async def approve(reviewer: Reviewer, patience: float) -> None:
    """A person who reads for a while, then approves."""
    while True:
        for request in await reviewer.open_requests():
            if (datetime.now(UTC) - request.created_at).total_seconds() >= patience:
                await reviewer.answer(request.id, "approve")
        await anyio.sleep(0.1)
