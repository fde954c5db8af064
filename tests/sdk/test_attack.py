"""A hostile backend, or something hostile before it: what it sends ends in words, in bounds, and approves nothing."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.to_thread
import pytest
from click.testing import CliRunner

from hitl_mcp.cli import main
from hitl_mcp.contract.models import Change
from hitl_mcp.contract.outcome import APPROVAL_CONFIG, Outcome, outcome_of
from hitl_mcp.errors import (
    ContractBroken,
    HITLError,
    NotAuthorised,
    Refused,
    ServiceFault,
    TooManyRequests,
    Unreachable,
)
from hitl_mcp.sdk import calls, http
from hitl_mcp.sdk.backend import Backend
from hitl_mcp.sdk.cloud.backend import Cloud
from hitl_mcp.sdk.connection import Connection
from hitl_mcp.sdk.endpoint import Endpoint, Fixed
from hitl_mcp.sdk.own import OwnService
from hitl_mcp.sdk.watch import Watch
from hitl_mcp.webhooks import parse_event

pytestmark = pytest.mark.anyio

KEY = "hitl_live_0123456789abcdef"
ASKED, OTHER = "a" * 24, "b" * 24


@dataclass
class Said:
    """One answer, byte for byte."""

    body: bytes
    status: int = 200
    headers: str = ""

    def encoded(self) -> bytes:
        """As it goes over the wire."""
        return (
            f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(self.body)}\r\n{self.headers}\r\n".encode() + self.body
        )


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["own", "cloud"])
def kind(request: pytest.FixtureRequest) -> Literal["own", "cloud"]:
    return request.param


@asynccontextmanager
async def saying(said: Said) -> AsyncGenerator[str]:
    """The address of something that says the same to every call."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(said.encoded())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        server.close()


@asynccontextmanager
async def talking(kind: Literal["own", "cloud"], folder: Path, said: Said) -> AsyncGenerator[Backend]:
    """A backend that says the same to every call."""
    async with saying(said) as url:
        endpoint = Endpoint(url, KEY, "nowhere", name="server")
        connection = Connection(Fixed(endpoint), max_retries=1, retry_delay=0)
        backend: Backend = OwnService(connection) if kind == "own" else Cloud(connection, folder)
        try:
            yield backend
        finally:
            await backend.aclose()


def item(**fields: Any) -> dict[str, Any]:
    """An approved approval, as own service and cloud show it."""
    return {
        "id": ASKED, "loop_id": "c" * 24, "creator_id": "d", "api_key_id": "e", "kind": "approval", "revision": 1,
        "decided_revision": 1, "status": "completed", "processing_type": "deferred", "type": "markdown",
        "priority": "medium", "request_text": "Drop it?", "response_type": "single_select",
        "response_config": APPROVAL_CONFIG, "default_response": "reject", "platform": "api",
        "context": {"hitl_mcp_ref": "approval-" + "0" * 32}, "timeout_at": "2026-03-03T00:00:00Z",
        "created_at": "2026-03-02T00:00:00Z", "updated_at": "2026-03-02T00:00:00Z", "response_by": "u1",
        "response_at": "2026-03-02T01:00:00Z", "response_data": "approve", **fields,
    }  # fmt: skip


def told(request: dict[str, Any], **more: Any) -> Said:
    """A successful answer that holds a request."""
    return Said(json.dumps({"error": False, "msg": "", "data": {"request": request}}).encode(), **more)


async def test_a_request_is_read_as_long_as_nothing_is_wrong(kind: Literal["own", "cloud"], tmp_path: Path) -> None:
    async with talking(kind, tmp_path, told(item())) as backend:
        assert outcome_of(await backend.send(calls.get_request(ASKED))) is Outcome.APPROVED


async def test_another_requests_approval_is_none_for_this_one(kind: Literal["own", "cloud"], tmp_path: Path) -> None:
    async with talking(kind, tmp_path, told(item(id=OTHER))) as backend:
        for _ in range(2):
            with pytest.raises(ContractBroken, match="another request"):
                await backend.send(calls.get_request(ASKED))
            with pytest.raises(ContractBroken, match="another request"):
                await backend.look(ASKED)


async def test_a_pushed_approval_of_another_request_is_not_taken() -> None:
    pending = item(status="pending", response_by=None, response_at=None, response_data=None, decided_revision=None)
    fresh = calls.get_request(ASKED).read({"request": pending})

    class Source:
        """The truth: still pending."""

        async def get_request(self, request_id: str) -> Any:
            return fresh

        async def changes_after(self, position: int | None) -> tuple[list[Change], int]:
            return [], 0

        async def stream(self, after: int | None) -> AsyncGenerator[Change | int]:
            yield 0

    watch = Watch(Source(), fresh)
    watch.tell(
        Change.model_validate(
            {"position": 1, "request_id": ASKED, "type": "completed", "status": "completed", "request": item(id=OTHER)}
        )
    )
    await watch.changed(0)
    assert outcome_of(watch.request) is Outcome.PENDING


@pytest.mark.parametrize("at", ["2026-03-02T01:00:00", "2026-03-02T01:00:00Z", "2026-03-03T00:00:00"])
async def test_times_without_a_zone_are_utc(kind: Literal["own", "cloud"], tmp_path: Path, at: str) -> None:
    async with talking(kind, tmp_path, told(item(response_at=at, timeout_at="2026-03-03T00:00:00"))) as backend:
        expected = Outcome.UNREADABLE if at.startswith("2026-03-03") else Outcome.APPROVED
        assert outcome_of(await backend.send(calls.get_request(ASKED))) is expected


DEEP = b'{"error": true, "data": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
HUGE = b"1" + b"0" * 400
WRONG: dict[str, tuple[Said, type[HITLError]]] = {
    "deep, used up": (Said(DEEP, 429), TooManyRequests),
    "deep, out of order": (Said(DEEP, 503), ServiceFault),
    "deep": (Said(DEEP), ContractBroken),
    "a number without end": (Said(b'{"error": true, "data": {"usage_limit": ' + HUGE + b', "retry_after": ' + HUGE
                                  + b', "reset_at": ' + HUGE + b"}}", 429), TooManyRequests),
    "a wait without end": (Said(b'{"error": true, "msg": "m", "data": {"retry_after": ' + HUGE + b"}}", 503),
                           ServiceFault),
    "a wait that is no number": (Said(b'{"error": true, "msg": "m", "data": {"retry_after": NaN}}', 503), ServiceFault),
    "a wait before now": (Said(b'{"error": true, "msg": "m", "data": {"retry_after": -5}}', 503), ServiceFault),
    "to another place": (told(item(), status=302, headers="Location: https://example.com/\r\n"), ContractBroken),
    "packed twice": (Said(b"x", headers="Content-Encoding: gzip, gzip\r\n"), Unreachable),
    "packed wrongly": (Said(b"xxxx", headers="Content-Encoding: gzip\r\n"), Unreachable),
}  # fmt: skip


@pytest.mark.parametrize("said", WRONG)
async def test_whatever_comes_ends_in_words(kind: Literal["own", "cloud"], tmp_path: Path, said: str) -> None:
    answer, error = WRONG[said]
    async with talking(kind, tmp_path, answer) as backend:
        with pytest.raises(error):
            await backend.send(calls.get_request(ASKED))
        with pytest.raises(HITLError):
            await backend.look(ASKED)


async def test_an_answer_is_read_up_to_a_bound(kind: Literal["own", "cloud"], tmp_path: Path) -> None:
    whole = json.dumps({"error": False, "data": {"request": item()}}).encode()
    padded = whole + b" " * (http.MAX_ANSWER_BYTES + 1 - len(whole))
    for fits, body in ((False, padded), (True, padded[:-1])):
        answer = Said(gzip.compress(body, 1), headers="Content-Encoding: gzip\r\n")
        async with talking(kind, tmp_path, answer) as backend:
            if fits:
                assert outcome_of(await backend.send(calls.get_request(ASKED))) is Outcome.APPROVED
            else:
                with pytest.raises(Unreachable, match="32 MiB"):
                    await backend.send(calls.get_request(ASKED))


async def test_a_key_that_is_echoed_is_in_no_error(kind: Literal["own", "cloud"], tmp_path: Path) -> None:
    echoed = json.dumps({"error": True, "msg": f"Bearer {KEY} is not known", "data": {"given": KEY}}).encode()
    async with talking(kind, tmp_path, Said(echoed, 401)) as backend:
        with pytest.raises(NotAuthorised) as refused:
            await backend.send(calls.get_request(ASKED))
    assert "is not known" in str(refused.value)
    assert KEY not in f"{refused.value!r} {refused.value.details}"


def test_a_refusal_of_any_length_is_shown_in_bounds() -> None:
    for refused in (Refused("no", "A" * 10**6), Refused("A" * 10**6, {"b": 1})):
        assert max(len(str(refused)), len(refused.message)) < 11_000


async def stream_of(tmp_path: Path, body: bytes) -> list[Change | int]:
    async with talking("own", tmp_path, Said(body)) as backend:
        return [one async for one in backend.stream(None)]


async def test_no_text_of_a_person_ends_a_line_of_the_event_stream(tmp_path: Path) -> None:
    comment = "line\u2028id: 999\u2028event: ready\u2028\x85\x0b\x0c\x1c end"
    change = {
        "position": 7, "request_id": ASKED, "type": "completed", "status": "completed",
        "request": item(response_comment=comment),
    }  # fmt: skip
    body = "id: 6\nevent: ready\ndata: {}\n\n" + f"id: 7\r\ndata: {json.dumps(change, ensure_ascii=False)}\r\n\r\n"
    position, seen = await stream_of(tmp_path, body.encode())
    assert position == 6
    assert isinstance(seen, Change)
    assert seen.request is not None
    assert seen.request.response_comment == comment


async def test_a_line_without_end_is_not_collected(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="32 MiB"):
        await stream_of(tmp_path, b"data: " + b"x" * (http.MAX_ANSWER_BYTES + 10))


async def test_a_stream_that_is_no_text_breaks_with_words(tmp_path: Path) -> None:
    with pytest.raises(ContractBroken):
        await stream_of(tmp_path, b"id: \xff\xfe\n")


async def test_no_word_of_a_backend_steers_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "\x1b[2J\x1b]0;title\x07\u202ereversed\nok    key: accepted"
    async with saying(Said(json.dumps({"error": True, "msg": words}).encode(), 400)) as url:
        for name, value in {"API_KEY": KEY, "BASE_URL": url, "DATA_DIR": str(tmp_path)}.items():
            monkeypatch.setenv(f"HITL_{name}", value)
        result = await anyio.to_thread.run_sync(lambda: CliRunner().invoke(main, ["doctor"]))
    assert result.exit_code == 1
    assert "[U+001B]" in result.output
    assert not {"\x1b", "\x07", "\u202e"} & set(result.output)
    assert not any(line.startswith("ok    key") for line in result.output.splitlines())


SENT: dict[str, Any] = {"event": "request.completed", "request_id": ASKED, "response_data": "Approve"}
NOBODYS = {
    "a source in capitals": {**SENT, "source": "Default"},
    "a person without a name": {**SENT, "response_by": {"id": None, "name": ""}},
    "one of two times too late": {
        **SENT, "timeout_at": "2026-03-02T12:00:00Z", "response_at": "2026-03-02T00:00:00Z",
        "completed_at": "2026-03-03T00:00:00Z",
    },
}  # fmt: skip


@pytest.mark.parametrize("sent", NOBODYS)
def test_a_webhook_with_a_doubt_about_the_person_decides_nothing(sent: str) -> None:
    assert parse_event(SENT).decision == "approved"
    assert parse_event(NOBODYS[sent]).decision is None


def test_a_reviews_approval_beside_another_decision_is_none() -> None:
    sent: dict[str, Any] = {"event": "review.completed", "review": {"id": "r", "result": {"approved": True}}}
    results = [parse_event(sent | more).result for more in ({}, {"decision": None}, {"decision": "denied"})]
    assert [result and result["approved"] for result in results] == [True, True, False]


@pytest.mark.parametrize("where", ['%s, "request_id": "r"', '"data": {%s, "request_id": "r"}'])
def test_a_webhook_that_says_a_thing_twice_is_unreadable(where: str) -> None:
    twice = where % '"response_data": "Reject", "response_data": "Approve"'
    with pytest.raises(ContractBroken, match="twice"):
        parse_event('{"event": "request.completed", %s}' % twice)  # noqa: UP031
