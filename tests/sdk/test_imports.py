"""Importing the client loads no server: neither MCP nor the service nor what they are built of."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("mcp", "hitl_mcp.service", "sqlalchemy", "fastapi", "starlette", "uvicorn", "jinja2", "alembic")


@pytest.mark.parametrize(
    "statement",
    ["import hitl_mcp", "from hitl_mcp import HITLClient", "from hitl_mcp import AsyncHITLClient, HITLError",
     "import hitl_mcp.exceptions, hitl_mcp.retry"],
)  # fmt: skip
def test_an_import_is_light(statement: str) -> None:
    look = f"import sys; {statement}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]", done.stdout


def test_the_package_alone_loads_no_client() -> None:
    look = "import sys, hitl_mcp; print([name for name in ('pydantic', 'httpx2', 'anyio') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]", done.stdout
