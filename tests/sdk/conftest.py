"""Fixtures of the client's contract: every backend, with both clients."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from hitl_mcp import AsyncHITLClient, HITLClient
from tests.sdk.backends import KINDS, Kind, Place, Style, in_style, place_of


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """At night only: PostgreSQL (tests/rest holds the contract there in CI), and the sync client on a second server."""
    for item in items:
        given: dict[str, object] = getattr(getattr(item, "callspec", None), "params", {})
        kind = given.get("place")
        if kind == "served on PostgreSQL" or (kind == "served on SQLite" and given.get("client") == "sync"):
            item.add_marker(pytest.mark.nightly)


@pytest.fixture(scope="session", params=KINDS)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, no_settings: None
) -> Generator[Place]:
    """A backend of each kind, shared by all tests: each has a key and a loop of its own."""
    kind: Kind = request.param
    with place_of(kind, tmp_path_factory.mktemp("sdk") / "data") as made:
        yield made


@pytest.fixture(params=["async", "sync"])
async def client(
    request: pytest.FixtureRequest, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[AsyncHITLClient]:
    """Each client, as the settings make it."""
    style: Style = request.param
    for name, value in place.environment(tmp_path / "own").items():
        monkeypatch.setenv(name, value)
    if style == "async":
        async with AsyncHITLClient(max_retries=0) as made:
            yield made
    else:
        with HITLClient(max_retries=0) as sync:
            yield in_style(sync)


@pytest.fixture
async def loop(client: AsyncHITLClient) -> str:
    """A fresh loop; its id."""
    return (await client.create_loop("Content moderation")).loop.id


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, no_settings: None) -> Generator[Place]:
    """A team's server, for what does not depend on the kind of backend."""
    with place_of("served on SQLite", tmp_path_factory.mktemp("server") / "data") as made:
        yield made


@pytest.fixture
def settings(server: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment that reaches the server, set here and to be given to child processes."""
    chosen = server.environment(tmp_path / "own")
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    return chosen
