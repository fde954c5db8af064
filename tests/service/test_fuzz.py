"""Schemathesis runs over the description: no 5xx, no answer that is not described, and nothing accepted by mistake.

Each operation gets every case of the tool's coverage phase, its examples, some random ones and chains of calls. The
nightly run asks for more: `HITL_FUZZ_EXAMPLES=300 python -m pytest --timeout 3600 tests/service/test_fuzz.py`.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from hitl_mcp.service.description.table import OPERATIONS
from tests.service.town import PHASES, Town, described, go_over, town

NEVER = {
    "stop": "it ends the service",
    "create_backup": "it writes to any path of this machine",
    "open_inbox": "it opens a browser",
    "stream_changes": "it does not end",
}
"""Operations that must not be called at random."""
ENDING = ["end_session", "revoke_key"]
"""Operations after which little can be asked; they go over a service of their own."""


@pytest.fixture
def here(folder: Path) -> Generator[Town]:
    """A running service."""
    with town(folder) as there:
        yield there


@pytest.mark.parametrize("phase", PHASES)
def test_every_operation_answers_as_described(here: Town, phase: str) -> None:
    here.leads = phase != "stateful"

    calls = go_over(described(here, phase).exclude(operation_id=[*NEVER, *ENDING]))

    assert calls > len(OPERATIONS) / 2, "the fuzzer sent nothing"


@pytest.mark.parametrize("phase", ["coverage", "fuzzing"])
def test_operations_that_end_something_answer_as_described(here: Town, phase: str) -> None:
    assert go_over(described(here, phase).include(operation_id=ENDING)) > 0
