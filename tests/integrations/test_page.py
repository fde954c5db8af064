"""docs/integrations.md: its commands run, its program runs, its files exist."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hitl_mcp.service.browser import MODULE, TYPES
from tests.programs import ROOT
from tests.rest.backend import Backend
from tests.world import WAIT, environment

PAGE = (ROOT / "docs" / "integrations.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
CALLS = [text for kind, text in BLOCKS if kind == "sh" and text.startswith("curl")]


def settings(service: Backend, folder: Path) -> dict[str, str]:
    """A reader's own values."""
    loop = service.key.new_loop()
    key = service.new_key("loops:read", "requests:read", "requests:write", "webhooks:write", loops=[loop])
    base = str(service.http.base_url).rstrip("/")
    return environment(folder, HITL_API_KEY=key.key or "", HITL_BASE_URL=base, HITL_LOOP=loop, no_proxy="*")


@pytest.mark.parametrize("call", CALLS, ids=range(len(CALLS)))
def test_every_call_succeeds(service: Backend, folder: Path, call: str) -> None:
    # an address that needs no name to be looked up
    given = call.replace("https://example.com", "https://127.0.0.1")
    done = subprocess.run(
        ["sh", "-c", given], env=settings(service, folder), capture_output=True, text=True, timeout=WAIT, check=True
    )
    assert json.loads(done.stdout)["error"] is False, done.stdout


def test_the_program_makes_a_token(service: Backend, folder: Path) -> None:
    [program] = [text for kind, text in BLOCKS if kind == "python"]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=settings(service, folder), capture_output=True, text=True,
        timeout=WAIT * 2, check=True,
    )  # fmt: skip
    assert done.stdout == "600\n"


def test_what_it_names_is_there() -> None:
    assert MODULE in PAGE and TYPES in PAGE
    for path in re.findall(r"`(?:python -m tests -m nightly )?(tests/[\w/]+\.py)`", PAGE):
        assert (ROOT / path).exists(), path
    assert "Bearer hitl_live_" in PAGE, "for n8n's credential"
    [script] = [text for kind, text in BLOCKS if kind == "js"]
    assert "hitl_live" not in script, "the page's own block uses a token only"
