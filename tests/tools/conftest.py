"""At night only: the tools over SSE, and over HTTP in the older era. tests/matrix meets both in every CI."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what repeats over another transport what stdio in both eras and HTTP in the newest have shown."""
    for item in items:
        if "tools" in item.path.parts:
            given: dict[str, object] = getattr(getattr(item, "callspec", None), "params", {})
            older = given.get("transport") == "http" and given.get("era") == "legacy"
            if older or given.get("transport") == "sse":
                item.add_marker(pytest.mark.nightly)
