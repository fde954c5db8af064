"""The protocol's conformance suite against our HTTP application, with its guards, keys and host checks in place.

The suite has no setting for a key, so its HTTP requests get one on their way out; the server is as it is.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.matrix.conformance import add_fixture
from tests.matrix.installed import node_packages
from tests.matrix.meeting import run, scripts
from tests.mcp_http import face
from tests.node import INSTALL_SECONDS, node

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(INSTALL_SECONDS * 2)]

LEAST = 30
"""Scenarios that pass at least, so that a suite that runs nothing passes nothing. Its exit code judges the rest."""


@pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")  # the suite asks for what the protocol has deprecated
@pytest.mark.parametrize(
    ("suite", "arguments"),
    [
        ("conformance", []),
        ("conformance-next", ["--requirements", "2025-11-25"]),
        ("conformance-next", ["--requirements", "2026-07-28"]),
    ],
    ids=["stable", "next 2025-11-25", "next 2026-07-28"],
)
async def test_the_suite_passes(folder: Path, tmp_path: Path, suite: str, arguments: list[str]) -> None:
    async with face(folder) as served:
        add_fixture(served.app._server)  # pyright: ignore[reportPrivateUsage]  # the product needs no way in for this
        with scripts() as place:
            preload = ["--import", (place / "with_key.mjs").as_uri()]
            program = str(node_packages() / "node_modules" / suite / "dist" / "index.js")
            command = [node(), *preload, program, "server", "--url", f"{served.url}/mcp", *arguments]
            said = await run(command, tmp_path, HITL_KEY=served.key)
    assert said.count("✓") >= LEAST
