"""The list of what CI runs a part of names tests that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.nightly import CASES


@pytest.mark.parametrize("name", CASES)
def test_what_is_left_to_the_night_exists(name: str) -> None:
    place, _, function = name.partition("::")
    assert f"def {function}(" in (Path(__file__).parent / place).read_text(encoding="utf-8")
