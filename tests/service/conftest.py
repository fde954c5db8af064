"""Where the service's tests take place: over SQLite, and over PostgreSQL."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import anyio
import pytest

from tests import postgres
from tests.service.stage import Place


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, folder: Path) -> Generator[Place]:
    """A data folder, or a database, of the test's own."""
    if request.param == "sqlite":
        yield Place(folder)
        return
    url = anyio.run(postgres.server().create)
    yield Place(folder, url)
    anyio.run(postgres.server().drop, url)
