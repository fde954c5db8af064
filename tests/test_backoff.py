"""The pause before another attempt: what is gone for hours fails thousands of times, and must still be asked again."""

from __future__ import annotations

import random

import pytest

from hitl_mcp.backoff import pause


@pytest.mark.parametrize("attempt", [0, 1, 5, 1_100, 10**6])
def test_a_pause_is_bounded_after_any_number_of_attempts(attempt: int) -> None:
    right = min(5.0, 0.05 * 2 ** min(attempt, 20))
    assert all(right / 2 <= pause(0.05, attempt, 5.0) <= right for _ in range(100))


def test_a_program_s_seed_brings_nobody_into_step() -> None:
    drawn: set[float] = set()
    for _ in range(20):
        random.seed(1)
        drawn.add(pause(1, 3, 60))
    assert len(drawn) == 20
