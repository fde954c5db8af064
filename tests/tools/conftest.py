"""At night only: the tools over SSE, and each transport in one of the eras. tests/matrix meets all in every CI."""

from __future__ import annotations

import pytest

_REPEATED = (("http", "legacy"), ("stdio", "auto"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what repeats over another transport what stdio in the older era and HTTP in the newest have shown."""
    for item in items:
        if "tools" in item.path.parts:
            given: dict[str, object] = getattr(getattr(item, "callspec", None), "params", {})
            transport, era = given.get("transport"), given.get("era")
            if transport == "sse" or (transport, era) in _REPEATED:
                item.add_marker(pytest.mark.nightly)
