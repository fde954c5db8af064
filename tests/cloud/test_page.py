"""docs/cloud.md says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from hitl_mcp.sdk.aio import AsyncHITLClient
from hitl_mcp.sdk.cloud import budget, schedule
from hitl_mcp.sdk.cloud.operations import OPERATIONS

PAGE = (Path(__file__).parent.parent.parent / "docs" / "cloud.md").read_text(encoding="utf-8")
NOT_OF_THE_CLIENT = {"idempotency_key", "templates", "form"}
WITHOUT_THE_BACKEND = {
    "at", "run", "aclose", "backend", "staleness", "forget_loops", "mark", "watching", "create_requests",
    "wait_for_decisions",
}  # fmt: skip
OF_THE_OLDEST_VOCABULARY = re.compile(r"review|template|get_response")


def test_the_table_is_the_codes_own() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|(.*)\|$", PAGE, re.MULTILINE)
    assert [(name, how, words.strip()) for name, how, words in rows] == list(OPERATIONS.values())


def test_every_operation_of_the_client_stands_in_it() -> None:
    offered = {name for name in dir(AsyncHITLClient) if not name.startswith("_")} - WITHOUT_THE_BACKEND
    offered = {name for name in offered if not OF_THE_OLDEST_VOCABULARY.search(name)}
    offered = offered - {"changes_after"} | {"list_changes"}  # the operation has the contract's name
    assert offered == set(OPERATIONS) - NOT_OF_THE_CLIENT


def test_its_figures_are_the_codes_own() -> None:
    assert f"at most **{schedule.MOST} calls in any hour**" in PAGE and f"at least {budget.RESERVE}" in PAGE
    assert f"**{schedule.PACE:g} seconds** apart" in PAGE and f"every {schedule.SHORTEST:g} seconds" in PAGE
