"""A client meets our server: a person answers what it asks, and what the client tells afterwards is judged."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

import anyio

from hitl_mcp import __version__
from tests.matrix.clients.story import Wire
from tests.matrix.installed import CLIENTS, node_packages
from tests.mcp_http import Face, face
from tests.node import node
from tests.world import Reviewer, environment

CLIENT_SECONDS = 60.0
"""How long a client program may take for the whole story."""
ANSWERS: dict[str, Any] = {"Approve me": "approve", "Reject me": "reject", "Answer me": 7}
SERVER = ["-P", "-m", "hitl_mcp"]
TOOLS = {
    "request_human_approval",
    "ask_human",
    "check_request",
    "list_loops",
    "list_requests",
    "update_request",
    "cancel_request",
}


@asynccontextmanager
async def meeting(folder: Path) -> AsyncGenerator[Face]:
    """The server over every transport, with a person who answers. A stdio server finds the service by its folder."""
    async with face(folder) as served, anyio.create_task_group() as tasks:
        tasks.start_soon(_answer, served.here.reviewer)
        yield served
        tasks.cancel_scope.cancel()


async def _answer(reviewer: Reviewer) -> None:
    while True:
        for request in await reviewer.open_requests():
            if request.request_text in ANSWERS:
                await reviewer.answer(request.id, ANSWERS[request.request_text], comment="Looked at it")
        await anyio.sleep(0.05)


def how(served: Face, transport: str, **more: Any) -> str:
    """What a client program is told: where the server is, and whose key it has."""
    url = f"{served.url}/{'sse' if transport == 'sse' else 'mcp'}"
    stdio = {"command": sys.executable, "args": SERVER, "env": environment(served.here.folder)}
    headers = {"Authorization": f"Bearer {served.key}"}
    return json.dumps({"transport": transport, "url": url, "headers": headers, **stdio, **more})


@contextmanager
def scripts() -> Generator[Path]:
    """A folder with our Node programs, from where they find the packages as a user's program does."""
    with tempfile.TemporaryDirectory(dir=node_packages(), prefix="scripts-") as place:
        for script in CLIENTS.glob("*.mjs"):
            shutil.copy(script, place)
        yield Path(place)


async def run(command: list[str], home: Path, *, code: int = 0, **more: str) -> str:
    """Run a client program to its end, within bounds; what it wrote to stdout.

    Args:
        home: where the program may keep what it wants.
        code: the exit code it must have.
        more: of its environment.
    """
    env = environment(home, HOME=str(home), USERPROFILE=str(home), **more)
    with anyio.fail_after(CLIENT_SECONDS):
        done = await anyio.run_process(command, env=env, check=False)
    said = done.stdout.decode()
    assert done.returncode == code, f"exit code {done.returncode}\n{said[-4000:]}\n{done.stderr.decode()[-4000:]}"
    return said


async def told_by(program: str, told: str, home: Path) -> Wire:
    """What a Node program of ours tells.

    Args:
        program: its file.
        told: see `how`.
    """
    with scripts() as place:
        return last_line(await run([node(), str(place / program), told], home))


def last_line(said: str) -> Wire:
    """The line of JSON that ends a program's output."""
    return cast("Wire", json.loads(said.splitlines()[-1]))


def judge(told: Wire, *, progress: bool = True) -> None:
    """Hold what a client tells of the story against what must have happened.

    Args:
        progress: whether it must have been told that a person is waited for.
    """
    assert (told["server"]["name"], told["server"]["version"]) == ("hitl-mcp", __version__)
    assert "tools" in told["capabilities"]
    assert "approved=true" in told["instructions"]
    assert {tool["name"] for tool in told["tools"]} == TOOLS
    assert all(tool["description"] and tool["inputSchema"] and tool["outputSchema"] for tool in told["tools"])
    assert any("Waiting for a person" in words for words in told["progress"]) is progress

    approved, rejected, checked = (_fields(told[name]) for name in ("approved", "rejected", "checked"))
    assert approved["approved"] is True and approved["outcome"] == "approved"
    assert approved["reviewer_comment"] == "Looked at it" and approved["decided_by"]
    assert rejected["approved"] is False and rejected["outcome"] == "rejected"
    assert _fields(told["handle"])["outcome"] == "pending"
    assert checked["request_id"] == _fields(told["handle"])["request_id"]
    assert checked["outcome"] == "answered" and checked["answer"] == 7 and checked["approved"] is False
    assert _fields(told["withdrawn"])["outcome"] == "cancelled"

    assert told["refused"]["isError"] and "not a request id" in told["refused"]["content"][0]["text"]
    left = [item["outcome"] for item in _fields(told["listed"])["requests"] if item["text"] == "Give me up"]
    if told["returned"] is None:
        assert left == []
    else:
        assert told["returned"] is False
        assert left == ["pending"], "leaving a call withdraws nothing"


def _fields(result: Wire) -> dict[str, Any]:
    """A result's structure, whose sentence is its text for clients that know no structure."""
    assert not result.get("isError"), result
    structured = result["structuredContent"]
    if "message" in structured:
        assert result["content"][0]["text"] == structured["message"]
    return structured
