"""What nobody should send, byte by byte: never a 5xx, and every refusal in the envelope."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlsplit

import pytest

from hitl_mcp.contract import routes
from hitl_mcp.contract.answers import ResponseType
from hitl_mcp.service.description.examples import BODIES
from hitl_mcp.service.web.guard import MAX_BODY_BYTES
from tests.service.hostile import NOTHING, head_of, raw, send, unharmed
from tests.service.stage import Stage

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for all of it."""
    return "asyncio"


@pytest.fixture(scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """One service for all of it, as nothing here may harm it."""
    async with unharmed(tmp_path_factory.mktemp("hostile") / "data") as known:
        yield known


def writing(here: Stage) -> list[tuple[str, str, dict[str, Any]]]:
    """Every operation of an agent that takes a body, with one that would do."""
    ids = {"loop_id": here.loop_id, "request_id": NOTHING}
    named = {
        "create_request": ("POST", routes.LOOP_REQUESTS, "text"),
        "update_request": ("PATCH", routes.REQUEST, "example"),
        "add_feedback": ("POST", routes.REQUEST_FEEDBACK, "example"),
        "create_loop": ("POST", routes.LOOPS, "example"),
        "update_loop": ("PUT", routes.LOOP, "example"),
        "invite_member": ("POST", routes.MEMBERS, "example"),
    }
    return [
        (method, path.format(**ids), BODIES[name][example]["value"]) for name, (method, path, example) in named.items()
    ]


@pytest.mark.parametrize(
    ("kind", "config", "default"),
    [
        (ResponseType.BOOLEAN, {}, False),
        (ResponseType.TEXT, {}, ""),
        (ResponseType.NUMBER, {"min_value": 0, "max_value": 5}, 0),
        (ResponseType.RATING, {"scale_min": 0, "scale_max": 5}, 0),
        (ResponseType.MULTI_SELECT, {"options": ["A"]}, []),
        (ResponseType.SINGLE_SELECT, {"options": ["0", "A"]}, "0"),
        (ResponseType.SINGLE_SELECT, {"options": ["A"]}, None),
    ],
)
async def test_a_falsy_default_is_a_default(here: Stage, kind: ResponseType, config: Any, default: Any) -> None:
    body = {"request_text": "?", "response_type": kind, "response_config": config, "default_response": default}

    came = await send(here, "POST", routes.LOOP_REQUESTS.format(loop_id=here.loop_id), json.dumps(body))

    assert came.status == 201, came
    kept = came.data["request"]["default_response"]
    assert kept == default and type(kept) is type(default)


@pytest.mark.parametrize("depth", [33, 1_000, 100_000])
async def test_deep_json_is_refused(here: Stage, depth: int) -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        deep = opening * depth + "1" + closing * depth
        for method, path, body in writing(here):
            (await send(here, method, path, deep)).refused(400)
            (await send(here, method, path, f'{{"{next(iter(body))}": {deep}}}')).refused(400, 404)
        asked = f'{{"request_text": "?", "response_type": "text", "context": {{"deep": {deep}}}}}'
        (await send(here, "POST", routes.LOOP_REQUESTS.format(loop_id=here.loop_id), asked)).refused(400)
        (await send(here, "POST", routes.LOOP_REQUESTS.format(loop_id="main"), f'{{"content": {deep}}}')).refused(
            400, 404
        )


async def test_ten_thousand_keys_are_data_like_others(here: Stage) -> None:
    many = {f"key {number}": number for number in range(10_000)}
    path = routes.LOOP_REQUESTS.format(loop_id=here.loop_id)

    asked = await send(here, "POST", path, json.dumps({"kind": "approval", "request_text": "?", "context": many}))
    unknown = await send(here, "POST", path, json.dumps({"kind": "approval", "request_text": "?", **many}))
    changed = await send(here, "PATCH", routes.REQUEST.format(request_id=NOTHING), json.dumps(many))

    assert (asked.status, unknown.status) == (201, 201)
    assert asked.data["request"]["context"] == many
    changed.refused(400)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b'{"name": "\xff\xfe"}',
        b'{"name": "\xc3"}',
        b'{"\x80": 1}',
        b"\xff\xfe{\x00}\x00",
        b'{"name": "\xed\xa0\x80"}',
        b"\x00",
        b'{"name": "a\x00b"}',
        b"\xef\xbb\xbf{}",
        '{"name": "ä", "icon": "bell"}'.encode("utf-16")[:-1],
        b"",
        b" ",
        b"nul",
        b"{",
        b'{"name": }',
        b"{} {}",
        b"'a'",
        b"NaN",
        b"[]",
        b"null",
        b"1",
        b'"text"',
        b"true",
        b"{}",
    ],
)
async def test_a_body_that_is_no_object_in_utf_8(here: Stage, content: bytes) -> None:
    for method, path, _ in writing(here):
        (await send(here, method, path, content)).refused(400)


async def test_characters_that_cannot_be_kept_are_refused_wherever_they_stand(here: Stage) -> None:
    for bad in ("\\ud800", "\\udfff x", "a\\u0000b"):
        for method, path, body in writing(here):
            for name, value in body.items():
                if isinstance(value, str):
                    spoilt = json.dumps({**body, name: "BAD"}).replace("BAD", bad)
                    came = await send(here, method, path, spoilt)
                    came.refused(400, 404)
        for field in (
            '"context": {"k": "BAD"}',
            '"context": {"BAD": 1}',
            '"tags": ["BAD"]',
            '"platform_version": "BAD"',
            '"response_config": {"placeholder": "BAD"}',
            '"default_response": "BAD"',
            '"callback_url": "https://a.example/BAD"',
            '"file_name": "BAD"',
        ):
            body = f'{{"request_text": "?", "response_type": "text", {field.replace("BAD", bad)}}}'
            (await send(here, "POST", routes.LOOP_REQUESTS.format(loop_id=here.loop_id), body)).refused(400)
        for field in ("content", "ai_analysis", "metadata"):
            body = json.dumps({"content": "text", field: "BAD"}).replace("BAD", bad)
            (await send(here, "POST", routes.LOOP_REQUESTS.format(loop_id=here.loop_id), body)).refused(400)


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/octet-stream",
        "application",
        "application/json/json",
        ";",
        "\xff",
        "image/png",
    ],
)
async def test_a_body_of_another_kind_is_refused(here: Stage, kind: str | None) -> None:
    for method, path, body in writing(here):
        (await send(here, method, path, json.dumps(body), kind=kind)).refused(400)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.api+json"])
async def test_json_by_its_other_names_is_taken(here: Stage, kind: str) -> None:
    body = json.dumps(BODIES["create_loop"]["example"]["value"])

    assert (await send(here, "POST", routes.LOOPS, body, kind=kind)).status == 201


def filled(size: int) -> bytes:
    """A body of exactly so many bytes that would do."""
    start, end = b'{"name": "Big", "icon": "bell", "more": "', b'"}'
    return start + b"x" * (size - len(start) - len(end)) + end


async def test_a_body_may_have_a_megabyte_and_no_byte_more(here: Stage) -> None:
    whole = await send(here, "POST", routes.LOOPS, filled(MAX_BODY_BYTES))
    assert whole.status == 201

    (await send(here, "POST", routes.LOOPS, filled(MAX_BODY_BYTES + 1))).refused(413)
    for wrong in ("9" * 18, str(MAX_BODY_BYTES + 1)):
        (await raw(here, head_of(here, "POST", routes.LOOPS, f"Content-Length: {wrong}"))).refused(413)


def chunked(content: bytes, size: int) -> bytes:
    """A body in chunks."""
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


async def test_the_same_where_a_body_does_not_say_its_length(here: Stage) -> None:
    lines = ("Transfer-Encoding: chunked", "Content-Type: application/json")
    head = head_of(here, "POST", routes.LOOPS, *lines)

    assert (await raw(here, head + chunked(filled(MAX_BODY_BYTES), 60_000))).status == 201
    (await raw(here, head + chunked(filled(MAX_BODY_BYTES + 1), 60_000))).refused(413)


async def test_many_fields_with_the_same_name_are_one(here: Stage) -> None:
    names = ", ".join(f'"name": "Name {number}"' for number in range(1_000))

    came = await send(here, "POST", routes.LOOPS, f'{{{names}, "icon": "bell"}}')

    assert came.status == 201
    assert came.data["loop"]["name"] == "Name 999"


@pytest.mark.parametrize("body", ["", "{", "\x00", '{"limit": 1}', "x" * 100_000])
async def test_a_body_of_a_reading_call_is_left_alone(here: Stage, body: str) -> None:
    for path in (
        routes.REQUESTS,
        routes.LOOPS,
        routes.KEY_TEST,
        routes.EVENTS,
        routes.HEALTH,
        "/openapi.json",
        "/docs",
    ):
        assert (await send(here, "GET", path, body)).status == 200, path


PIECES = [
    "%00",
    "a%00b",
    "%ff%fe",
    "%ED%A0%80",
    "..%2f..",
    "%2e%2e",
    "%",
    "%zz",
    "%F0%9F%92%A9",
    "'%20OR%201=1--",
    "{}",
    "\\",
    ";",
    "a" * 20_000,
    "%0d%0aX-More:%201",
]


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece[:20])
async def test_odd_characters_in_an_address(here: Stage, piece: str) -> None:
    for path in (
        "/v1/api/loops/{}",
        "/v1/api/requests/{}",
        "/v1/api/requests/{}/wait",
        "/v1/api/loops/{}/members",
        "/v1/loops/{}",
        "/loops/{}/requests",
        "/qr/{}.png",
        "/docs/{}",
        "/v1/{}",
        "/v1/local/keys/{}",
    ):
        (await send(here, "GET", path.replace("{}", piece))).refused(400, 403, 404, 405)
    for body in ('{"content": "text"}', '{"request_text": "?"}'):
        (await send(here, "POST", f"/v1/api/loops/{piece}/requests", body)).refused(400, 404, 405)
    for path in (
        f"{routes.REQUESTS}?status={piece}",
        f"{routes.REQUESTS}?loop_id={piece}",
        f"{routes.EVENTS}?after={piece}",
        f"{routes.REQUESTS}?sort={piece}",
        f"{routes.REQUESTS}?created_before={piece}",
    ):
        (await send(here, "GET", path)).refused(400)
    assert (await send(here, "GET", f"{routes.LOOPS}?{piece}={piece}")).status == 200


@pytest.mark.parametrize(
    "value",
    ["", " ", "%00", "%ff", "\xff\xfe", "x" * 8_000, "a, b", "%ED%A0%80", "\t", "%F0%9F%92%A9"],
    ids=lambda value: value[:8],
)
async def test_odd_headers(here: Stage, value: str) -> None:
    body = BODIES["create_request"]["text"]["value"]
    path = routes.LOOP_REQUESTS.format(loop_id=here.loop_id)
    for name in (
        "X-HITL-Client",
        "X-HITL-Nonce",
        "Accept",
        "Cookie",
        "Origin",
        "X-Forwarded-For",
        "If-None-Match",
        "Accept-Encoding",
        "User-Agent",
        "X-Request-Id",
        "Idempotency-Key",
        "Range",
        "Expect-Nothing",
    ):
        came = await send(here, "POST", path, json.dumps(body), f"{name}: {value}")
        assert came.status in (200, 201, 400, 409), (name, came)
        assert json.loads(came.body)["error"] is (came.status >= 400)
    for credential in (value, f"Bearer {value}", f"bearer  {value} {value}", f"Basic {value}"):
        wrong = head_of(here, "GET", routes.LOOPS).replace(
            f"Bearer {here.found.endpoint().key}".encode(), credential.encode("latin-1")
        )
        (await raw(here, wrong)).refused(401)


async def test_a_method_that_an_address_does_not_take(here: Stage) -> None:
    came = await send(here, "PUT", routes.REQUEST.format(request_id=NOTHING), "{}")

    came.refused(405)
    assert "allow: DELETE, GET, PATCH" in came.head.replace("Allow", "allow")
    for method in ("TRACE", "OPTIONS", "PROPFIND", "LINK"):
        (await send(here, method, routes.LOOPS)).refused(405)


async def test_a_very_long_address_or_header_harms_nobody(here: Stage) -> None:
    for length in (10_000, 60_000, 200_000):
        for call in (
            head_of(here, "GET", "/v1/api/requests/" + "a" * length),
            head_of(here, "GET", f"{routes.LOOPS}?" + "a" * length),
            head_of(here, "GET", routes.LOOPS, "X-Long: " + "a" * length),
            head_of(here, "GET", routes.LOOPS, *(f"X-{number}: a" for number in range(length // 10))),
        ):
            came = await raw(here, call)
            assert came.status in (0, 200, 400, 414, 431), came


async def test_headers_have_a_bound_wherever_they_grow(here: Stage) -> None:
    for size in (60_000, 100_000, 5_000_000):
        for lines in ([f"X-Long: {'a' * size}"], [f"X-{number}: {'a' * 90}" for number in range(size // 100)]):
            came = await raw(here, head_of(here, "GET", routes.LOOPS, *lines))
            # of a flood the answer may be lost, because the connection is closed while more is on its way
            expected = (200,) if size < 65_536 else (431, 0) if size > 1_000_000 else (431,)
            assert came.status in expected, (size, len(lines))
    assert (await here.wire.send("GET", routes.LOOPS)).status == 200


async def test_what_is_no_http_is_refused_by_the_server_itself(here: Stage) -> None:
    host = urlsplit(here.found.address).netloc
    for content in (
        b"\x00\x00\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /v1/api/loops\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        head_of(here, "POST", routes.LOOPS, "Content-Length: -1"),
        head_of(here, "POST", routes.LOOPS, "Content-Length: a"),
        head_of(here, "POST", routes.LOOPS, "Content-Length: 2", "Content-Length: 3") + b"{}{",
        head_of(here, "POST", routes.LOOPS, "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        f"GET {routes.LOOPS} HTTP/1.1\r\nHost: {host}\r\n".encode() + b"X-A: \x00\r\n\r\n",
    ):
        came = await raw(here, content + b"\r\n\r\n")
        assert came.status == 0 or 400 <= came.status < 500, (content[:80], came)
    assert (await send(here, "GET", routes.HEALTH)).status == 200
