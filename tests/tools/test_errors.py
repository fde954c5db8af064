"""Errors that a model can repair: each names what is wrong, says what is right, and shows it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.mcp_http import mcp_client
from tests.served.team import free_port
from tests.tools.test_asking import refused, told
from tests.world import stdio_client, world

pytestmark = pytest.mark.anyio
Case = tuple[dict[str, Any], str, str]
"""Arguments, the field that the error begins with, and what it says is right."""


def question(response_type: str, config: Any = None, **more: Any) -> dict[str, Any]:
    """Arguments of ask_human."""
    given = {} if config is None else {"response_config": config}
    return {"question": "Which?", "response_type": response_type, **given, **more}


def approval(**more: Any) -> dict[str, Any]:
    """Arguments of request_human_approval."""
    return {"action": "Deploy", **more}


ID = "0" * 24
WRONG: dict[str, list[Case]] = {
    "request_human_approval": [
        ({}, "action", "required"),
        ({"action": None}, "action", "string"),
        ({"action": 5}, "action", "string"),
        ({"action": ""}, "action", "at least 1"),
        ({"action": "x" * 1001}, "action", "at most 1000"),
        ({"action": "a\x00b"}, "action", "U+0000"),
        (approval(reason=3), "reason", "string"),
        (approval(reason="x" * 901), "reason", "at most 900"),
        (approval(details="x" * 50_001), "details", "at most 50000"),
        (approval(details="x", context={"details": "y"}), "context.details", "not both"),
        (approval(context="production"), "context", '{"environment": "production"}'),
        (approval(context=[1]), "context", '{"environment": "production"}'),
        (approval(loop="Nowhere"), "loop", "'Default'"),
        (approval(loop=7), "loop", '"loop": "Default"'),
        (approval(priority="urgent"), "priority", "'critical'"),
        (approval(timeout_seconds=5), "timeout_seconds", "60"),
        (approval(timeout_seconds=10**9), "timeout_seconds", "2592000"),
        (approval(timeout_seconds="soon"), "timeout_seconds", '"timeout_seconds": 3600'),
        (approval(wait_seconds=-1), "wait_seconds", "0"),
        (approval(wait_seconds=4000), "wait_seconds", "3600"),
        (approval(wait_seconds="long"), "wait_seconds", '"wait_seconds": 45'),
        (approval(default_response="approve"), "default_response", "no such argument"),
        (approval(response_type="text"), "response_type", "no such argument"),
        (approval(resaon="x"), "resaon", "Did you mean reason?"),
    ],
    "ask_human": [
        ({}, "question", "required"),
        ({"question": "Which?"}, "response_type", "required"),
        (question("text") | {"question": ""}, "question", "at least 1"),
        (question("text") | {"question": "x" * 2001}, "question", "at most 2000"),
        (question("choice"), "response_type", "'single_select'"),
        (question("text", "none"), "response_config", '{"options": ["A", "B"]}'),
        (question("text", config_={}), "config_", "Its arguments: question, response_type, response_config"),
        (question("single_select"), "response_config.options", "['Blue', 'Green']"),
        (question("single_select", {"options": []}), "response_config.options", "['Blue', 'Green']"),
        (question("single_select", {"options": "A,B"}), "response_config.options", "['Blue', 'Green']"),
        (question("single_select", {"options": ["A", "a"]}), "response_config", "['Blue', 'Green']"),
        (question("single_select", {"options": ["A"]}, default_response="C"), "default_response", "['A']"),
        (question("multi_select", {"options": ["A"], "min_selections": 2}), "response_config", "'max_selections': 2"),
        (question("multi_select", {"options": "A"}), "response_config.options", "'Metrics'"),
        (question("multi_select", {"options": ["A"]}, default_response=["C"]), "default_response", "'A'"),
        (question("rating"), "response_config.scale_max", "'scale_max': 5"),
        (question("rating", {"scale_max": 1}), "response_config", "'scale_max': 5"),
        (question("rating", {"scale_max": 5}, default_response=9), "default_response", "between 1 and 5"),
        (question("number"), "response_config.max_value", "'max_value': 100"),
        (question("number", {"max_value": "many"}), "response_config.max_value", "'max_value': 100"),
        (question("number", {"max_value": -5, "min_value": -9}), "response_config", "allow_negative"),
        (question("text", {"max_length": 0}), "response_config.max_length", "'max_length': 500"),
        (question("text", {"max_length": 3}, default_response="long"), "default_response", "between 0 and 3"),
        (question("boolean", {"true_label": "Go", "false_label": "go"}), "response_config", "'false_label': 'No'"),
        (question("boolean", default_response="true"), "default_response", "true or false"),
        (question("editable_text"), "response_config.draft_text", "'draft_text': 'Dear"),
        (question("editable_text", {"draft_text": 5}), "response_config.draft_text", "'draft_text': 'Dear"),
    ],
    "check_request": [
        ({}, "request_id", "required"),
        ({"request_id": 5}, "request_id", "string"),
        ({"request_id": "abc"}, "request_id", "24 characters"),
        ({"request_id": ID}, "There is no request", "list_requests"),
        ({"request_id": ID, "wait_seconds": 4000}, "wait_seconds", "3600"),
        ({"id": ID}, "id", "Its arguments: request_id, wait_seconds"),
    ],
    "list_loops": [({"limit": 3}, "limit", "Its arguments: none")],
    "list_requests": [
        ({"limit": 0}, "limit", "1"),
        ({"limit": "all"}, "limit", '"limit": 20'),
        ({"status": "open"}, "status", "'pending'"),
        ({"loop": "x"}, "loop", "Its arguments: status, limit"),
    ],
    "update_request": [
        ({}, "request_id", "required"),
        ({"request_id": "zz", "answer": "Yes"}, "request_id", "24 characters"),
        ({"request_id": ID, "answer": "Yes"}, "There is no request", "list_requests"),
        ({"request_id": ID}, "Nothing to change", "Give answer"),
        ({"request_id": ID, "priority": "urgent"}, "priority", "'critical'"),
        ({"request_id": ID, "timeout_seconds": 5}, "timeout_seconds", "60"),
        ({"request_id": ID, "context": "production"}, "context", "update_request("),
        ({"request_id": ID, "anwser": "Yes"}, "anwser", "Did you mean answer?"),
    ],
    "cancel_request": [
        ({}, "request_id", "required"),
        ({"request_id": "zz"}, "request_id", "24 characters"),
        ({"request_id": ID}, "There is no request", "list_requests"),
        ({"request": ID}, "request", "Did you mean request_id?"),
    ],
}


async def test_each_wrong_call_says_what_is_wrong_and_shows_what_is_right(folder: Path) -> None:
    shown: dict[str, set[str]] = {tool: set() for tool in WRONG}
    async with mcp_client(folder, "http") as client:
        for tool, cases in WRONG.items():
            for arguments, field, right in cases:
                words = refused(await client.call_tool(tool, arguments))
                assert words.startswith(field), f"{tool} {arguments}: {words}"
                assert right in words, f"{tool} {arguments}: {words}"
                assert "Traceback" not in words and "pydantic" not in words and len(words) < 700
                shown[tool] |= set(re.findall(rf"like {tool}\((.*)\)\.$", words))
        listed = await client.call_tool("list_requests", {})
        assert listed.structured_content is not None and listed.structured_content["requests"] == []
        for tool, examples in shown.items():
            assert examples, f"{tool} shows no example"
            for example in examples:
                arguments = json.loads(example)
                if tool in ("request_human_approval", "ask_human"):
                    told(await client.call_tool(tool, arguments | {"wait_seconds": 0}))
                elif "request_id" in arguments:
                    assert "There is no request" in refused(await client.call_tool(tool, arguments))
                else:
                    assert not (await client.call_tool(tool, arguments)).is_error


async def test_what_a_model_is_shown_is_short_and_the_shown_schema_is_that_of_the_tool(folder: Path) -> None:
    async with stdio_client(folder, "legacy") as client:
        listed = await client.list_tools()
    sent = json.dumps(
        listed.model_dump(mode="json", by_alias=True, exclude_none=True), ensure_ascii=False, separators=(",", ":")
    )
    assert len(sent) < 10_000, "about four characters are a token; benchmarks/tools_tokens.py counts"
    for tool in listed.tools:
        assert "$ref" not in str(tool.input_schema) and "$ref" not in str(tool.output_schema)
        known = set(tool.input_schema["properties"])
        for arguments, _, right in WRONG[tool.name]:
            assert set(arguments) <= known or "no such" in right or "Did you mean" in right or "Its arg" in right
    config = next(tool for tool in listed.tools if tool.name == "ask_human").input_schema["properties"][
        "response_config"
    ]
    for _, _, right in WRONG["ask_human"]:
        for setting in re.findall(r"^'(\w+)':", right):
            assert setting in config["properties"]


@pytest.mark.parametrize(
    ("served", "said"), [(True, "The API key is not accepted (Invalid API key)"), (False, "did not")]
)
async def test_a_wrong_key_and_a_dead_server_are_told_with_what_to_do(folder: Path, served: bool, said: str) -> None:
    async with world(folder) as here:
        url = here.found.address if served else f"http://127.0.0.1:{free_port()}"
        async with stdio_client(folder, HITL_API_KEY="hitl_live_wrong", HITL_BASE_URL=url) as client:
            words = refused(await client.call_tool("request_human_approval", approval(wait_seconds=0)))
    assert said in words and "Nothing was" in words and "hitl-mcp doctor" in words
