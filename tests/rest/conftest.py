"""The three services of the contract suite: local, served over SQLite, served over PostgreSQL."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.rest.backend import KINDS, Backend, Kind, opened


def _kind(kind: Kind) -> object:
    """The one in the middle shares its storage with the first and the rest with the last, so it waits for the night."""
    return pytest.param(kind, marks=pytest.mark.nightly) if kind == "served on SQLite" else kind


@pytest.fixture(scope="session", params=[_kind(kind) for kind in KINDS])
def backend(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, no_settings: None
) -> Generator[Backend]:
    """A service of each kind, shared by all tests: each makes its own loops, and moves the clock only forward."""
    with opened(
        request.param, tmp_path_factory.mktemp("rest"), cors_origins="https://app.example.com",
        loop_aliases="loop_123=Content moderation first",
    ) as made:  # fmt: skip
        yield made


@pytest.fixture
def loop(backend: Backend) -> str:
    """A fresh loop of the owner; its id."""
    return backend.key.new_loop()
