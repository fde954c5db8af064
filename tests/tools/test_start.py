"""A stdio server starts fast: what the first call needs is imported by the first call."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hitl_mcp.contract.models import DEFERRED_TIMEOUT
from hitl_mcp.tools.rounds import STATE_SECONDS
from tests.world import WAIT, environment

SHOW = """
import sys
from hitl_mcp.stdio import StdioServer
StdioServer(lambda tasks: None)
print(" ".join(sys.modules))
"""


def test_starting_imports_no_client_no_contract_and_nothing_of_the_tools(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHOW], capture_output=True, text=True, check=True, timeout=WAIT * 2,
        env=environment(folder),
    )  # fmt: skip
    loaded = set(done.stdout.split())
    assert "hitl_mcp.tools.server" in loaded
    late = {"contract.models", "sdk", "tools.desk", "tools.reviews", "tools.prompts", "tools.subscriptions"}
    assert not {f"hitl_mcp.{name}" for name in late} & loaded
    assert not {"sqlalchemy", "fastapi", "httpx2"} & (loaded - _of_the_sdk())


def _of_the_sdk() -> set[str]:
    """What the SDK's own server brings along."""
    show = "import sys, mcp.server.mcpserver; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True, timeout=WAIT * 2)
    return set(done.stdout.split())


def test_a_call_may_go_on_as_long_as_its_question_is_open() -> None:
    assert STATE_SECONDS == DEFERRED_TIMEOUT
