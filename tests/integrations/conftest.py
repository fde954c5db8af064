"""One service for the integrations' tests, and an origin of a page that it lists."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.rest.backend import Backend, opened


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory, no_settings: None) -> Generator[Backend]:
    """A team's server on SQLite."""
    with opened("served on SQLite", tmp_path_factory.mktemp("integrations")) as made:
        yield made
