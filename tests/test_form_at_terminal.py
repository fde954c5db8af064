"""A form answered at the terminal, field by field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio

from hitl_mcp.contract import routes
from hitl_mcp.launcher import ask
from tests.test_cli import type_into
from tests.world import running_service, stdio_client

FIELDS: list[dict[str, Any]] = [
    {"name": "code", "type": "code_display", "initial": "SELECT \x1b[31m1"},
    {"name": "approved", "type": "boolean", "label": "May it\u202e run?", "required": True},
    {"name": "title", "type": "text", "required": True, "initial": "Old", "max_length": 5},
    {"name": "tone", "type": "select", "options": ["Dry", "Warm"], "initial": "Warm"},
    {"name": "note", "type": "text"},
    {"name": "stars", "type": "rating"},
    {"name": "when", "type": "datetime", "required": True},
]


def test_a_form_is_answered_field_by_field(folder: Path) -> None:
    async def asked() -> str:
        async with stdio_client(folder) as client:
            await client.call_tool("list_loops", {})
        agent = (await running_service(folder)).endpoint()
        loop = (await ask(agent, "GET", routes.LOOPS))["loops"][0]["id"]
        body = {"request_text": "Check it", "response_type": "form", "response_config": {"fields": FIELDS}}
        return (await ask(agent, "POST", routes.LOOP_REQUESTS.format(loop_id=loop), body))["request_id"]

    request_id = anyio.run(asked)
    keys = [
        ("y or n", "y"), ("Keep it?", "n"), ("Text", "too long"), ("has 8", "New"), ("Keep it?", "y"),
        ("optional", "n"), ("optional", "y"), ("Rating", "9"), ("between 1 and 5", "4"), ("zone", "tomorrow"),
        ("like 2026", "2026-03-02T09:30:00Z"), ("Comment", ""), ("[y/N]", "y"),
    ]  # fmt: skip
    code, shown = type_into(folder, keys, "respond", request_id)
    assert code == 0, shown
    assert "\x1b[31m" not in shown and "\u202e" not in shown, "no trick of a label or text reaches a terminal"
    assert "May it[U+202E] run? (the agent receives it as approved)" in shown

    async def answer() -> Any:
        agent = (await running_service(folder)).endpoint()
        return (await ask(agent, "GET", routes.REQUEST.format(request_id=request_id)))["response_data"]

    assert anyio.run(answer) == {
        "approved": True, "title": "New", "tone": "Warm", "note": None, "stars": 4, "when": "2026-03-02T09:30:00Z",
    }  # fmt: skip
