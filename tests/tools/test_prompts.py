"""Prompts that teach when and how to ask; what they tell a model to do must work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mcp import MCPError
from mcp.types import INVALID_PARAMS, TextContent

from tests.mcp_http import Transport, mcp_client
from tests.tools.test_asking import WAYS
from tests.world import Era, stdio_client

pytestmark = pytest.mark.anyio
ARGUMENTS = {
    "approve_critical_action": ["action", "reason", "loop"],
    "check_quality": ["work", "criteria", "loop"],
    "verify_result": ["result", "evidence", "loop"],
    "ask_expert": ["question", "tried", "loop"],
    "follow_up": ["request_id"],
}


@WAYS
async def test_prompts_hold_their_arguments_and_the_way_to_ask(folder: Path, transport: Transport, era: Era) -> None:
    async with mcp_client(folder, transport, era) as client:
        prompts = {prompt.name: prompt for prompt in (await client.list_prompts()).prompts}
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert {name: [entry.name for entry in prompt.arguments or ()] for name, prompt in prompts.items()} == ARGUMENTS
        for name, prompt in prompts.items():
            assert prompt.title and prompt.description
            arguments = prompt.arguments or []
            assert all(argument.description for argument in arguments)
            assert [argument.required for argument in arguments] == [True, *([False] * (len(arguments) - 1))]
            given = {argument.name: f"<{argument.name} {{0}} %s>" for argument in arguments}
            result = await client.get_prompt(name, given)
            content = result.messages[0].content
            assert isinstance(content, TextContent) and result.messages[0].role == "user"
            assert all(value in content.text for value in given.values())
            named = set(re.findall(r"\b(?:request_human_approval|\w+_human|check_\w+|list_\w+)\b", content.text))
            assert named and named <= set(tools), "a prompt names tools that are served"


async def test_a_prompt_with_wrong_arguments_says_which(folder: Path) -> None:
    async with stdio_client(folder) as client:
        for given, part in (({}, "action: is missing"), ({"action": " "}, "action: is missing"),
                            ({"action": "x", "why": "y"}, "why: approve_critical_action has no such")):  # fmt: skip
            with pytest.raises(MCPError, match=part) as failed:
                await client.get_prompt("approve_critical_action", given)
            assert failed.value.code == INVALID_PARAMS
    assert not folder.exists(), "prompts touch nothing"
