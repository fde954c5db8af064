"""Which backend a key and an address mean, row by row; arguments beat the environment; nothing falls back silently."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from hitl_mcp import AsyncHITLClient, HITLClient
from hitl_mcp.errors import NotConfigured, ServiceNotStarted
from hitl_mcp.sdk.choosing import CLOUD_URL, Kind, choose
from tests.local.machine import start_service

KEY = "hitl_live_" + "a" * 32
TEAM = "https://hitl.example.com"


@pytest.mark.parametrize(
    ("key", "url", "wanted", "kind", "address"),
    [
        (None, None, "auto", "local", ""),
        ("", " ", "auto", "local", ""),
        (KEY, None, "auto", "cloud", CLOUD_URL),
        (f" {KEY}\n", "", "auto", "cloud", CLOUD_URL),
        (KEY, "https://api.hitl.sh", "auto", "cloud", CLOUD_URL),
        (KEY, "https://api.hitl.sh/v1", "auto", "cloud", CLOUD_URL),
        (KEY, "https://API.HITL.SH/v1/api/", "auto", "cloud", "https://API.HITL.SH"),
        (KEY, "https://hitl.sh", "auto", "cloud", "https://hitl.sh"),
        (KEY, TEAM, "auto", "server", TEAM),
        (KEY, f"{TEAM}/", "auto", "server", TEAM),
        (KEY, f"{TEAM}/v1", "auto", "server", TEAM),
        (KEY, f"{TEAM}/v1/", "auto", "server", TEAM),
        (KEY, f"{TEAM}/v1/api", "auto", "server", TEAM),
        (KEY, "http://127.0.0.1:8000", "auto", "server", "http://127.0.0.1:8000"),
        (KEY, "https://nothitl.sh", "auto", "server", "https://nothitl.sh"),
        (KEY, "https://hitl.sh.example.com", "auto", "server", "https://hitl.sh.example.com"),
        (KEY, TEAM, "local", "local", ""),
        (KEY, TEAM, "cloud", "cloud", TEAM),
        (KEY, None, "cloud", "cloud", CLOUD_URL),
        (KEY, "https://api.hitl.sh", "server", "server", "https://api.hitl.sh"),
    ],
)
def test_the_table(key: str | None, url: str | None, wanted: Kind, kind: str, address: str) -> None:
    choice = choose(key, url, wanted)
    assert (choice.kind, choice.url) == (kind, address)
    assert choice.key == (KEY if kind != "local" else "")
    assert KEY not in repr(choice) + repr(choice.endpoint())


@pytest.mark.parametrize(
    ("key", "url", "wanted", "named"),
    [
        (None, TEAM, "auto", "HITL_API_KEY"),
        (None, "https://api.hitl.sh", "auto", "HITL_API_KEY"),
        (None, None, "cloud", "HITL_API_KEY"),
        (None, TEAM, "server", "HITL_API_KEY"),
        (KEY, None, "server", "HITL_BASE_URL"),
        ("two words", None, "auto", "HITL_API_KEY"),
        ("schlüssel", None, "auto", "HITL_API_KEY"),
        *[(KEY, url, "auto", "HITL_BASE_URL") for url in (
            "hitl.example.com", "ftp://hitl.example.com", "https://", "https://ada:secret@hitl.example.com",
            f"{TEAM}?key=1", f"{TEAM}#top", "http://[::1", f"{TEAM}:99999", f"{TEAM}:0",
        )],
    ],
)  # fmt: skip
def test_what_is_refused(key: str | None, url: str | None, wanted: Kind, named: str) -> None:
    with pytest.raises(NotConfigured, match=named) as caught:
        choose(key, url, wanted)
    assert KEY not in str(caught.value)
    assert "secret" not in str(caught.value)


async def kind_of(client: AsyncHITLClient) -> tuple[str, str]:
    """What a client chose, without touching the network."""
    endpoint = await client.backend()
    return endpoint.name, endpoint.base_url


@pytest.mark.anyio
async def test_arguments_beat_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HITL_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HITL_API_KEY", "hitl_live_of_the_environment")
    assert await kind_of(AsyncHITLClient()) == ("cloud", CLOUD_URL)
    assert await kind_of(AsyncHITLClient(base_url=TEAM)) == ("server", TEAM)
    monkeypatch.setenv("HITL_BASE_URL", "https://other.example.com/v1")
    assert await kind_of(AsyncHITLClient()) == ("server", "https://other.example.com")
    assert await kind_of(AsyncHITLClient(KEY, TEAM)) == ("server", TEAM)
    assert (await AsyncHITLClient(KEY).backend()).key == KEY
    monkeypatch.setenv("HITL_BACKEND", "local")
    assert await kind_of(AsyncHITLClient(KEY, TEAM)) == ("server", TEAM)
    with pytest.raises(ServiceNotStarted):
        await AsyncHITLClient().backend()


@pytest.mark.parametrize("client", [AsyncHITLClient, HITLClient])
def test_an_empty_key_is_not_no_key(client: type[AsyncHITLClient | HITLClient]) -> None:
    with pytest.raises(NotConfigured, match="api_key is empty"):
        client(api_key="")


@pytest.mark.parametrize("client", [AsyncHITLClient, HITLClient])
def test_wrong_settings_are_told_when_the_client_is_made(
    client: type[AsyncHITLClient | HITLClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HITL_BASE_URL", TEAM)
    with pytest.raises(NotConfigured, match="HITL_API_KEY"):
        client()
    monkeypatch.setenv("HITL_TIMEOUT", "soon")
    with pytest.raises(NotConfigured, match="HITL_TIMEOUT"):
        client(KEY)


@pytest.mark.parametrize("wrong", [{"timeout": 0}, {"max_retries": -1}, {"retry_delay": -1}])
def test_wrong_arguments_too(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="negative"):
        HITLClient(KEY, TEAM, **wrong)  # pyright: ignore[reportArgumentType]


def test_without_key_and_address_it_is_the_running_local_service(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HITL_DATA_DIR", str(folder))
    with HITLClient() as client:
        with pytest.raises(ServiceNotStarted, match="hitl-mcp start"):
            client.list_loops()
        assert not folder.exists(), "looking for it starts and makes nothing"
        anyio.run(start_service, folder)
        assert client.backend().name == "local"
        assert client.list_loops()
