"""The hour's calls, and pages of other origins (section 1.4, compatibility 5)."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime

import pytest

from hitl_mcp.contract import routes
from tests.rest.backend import ALL, KINDS, PUBLIC, QUESTION, Backend, Caller, Reply, opened

LIMIT = 100
HOUR = 3600
NO_ID = "0" * 24


@pytest.fixture(scope="session", params=KINDS)
def limited(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, no_settings: None
) -> Generator[Backend]:
    """A service that counts calls: the contract's 100 in an hour."""
    with opened(request.param, tmp_path_factory.mktemp("limited"), rate_limit=LIMIT) as made:
        yield made


def next_hour(on: Backend) -> int:
    """Unix seconds of the next full hour."""
    return (on.clock() // 1000 // HOUR + 1) * HOUR


def rate_of(reply: Reply) -> tuple[int, int, int]:
    """The three headers."""
    limit, remaining, reset = (int(reply.headers[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset"))
    return limit, remaining, reset


def spend(key: Caller, calls: int) -> None:
    """Use up calls."""
    for _ in range(calls):
        assert key.get(routes.KEY_TEST).status == 200


def test_without_a_limit_the_headers_say_a_million(backend: Backend) -> None:
    for reply in (
        backend.key.get(routes.LOOPS),
        backend.key.request(NO_ID),
        backend.key.get("/v1/nothing"),
        backend.nobody.send("GET", routes.LOOPS),
        backend.key.send("PUT", routes.REQUESTS, {}),
    ):
        assert rate_of(reply) == (1_000_000, 1_000_000, next_hour(backend))


def test_every_reply_of_a_key_counts_and_tells(limited: Backend) -> None:
    key = limited.new_key(*ALL)
    calls = [
        lambda: key.get(routes.KEY_TEST),
        lambda: key.post(routes.LOOPS, {}),
        lambda: key.request(NO_ID),
        lambda: key.request("bad"),
        lambda: key.get(routes.REQUESTS, limit=0),
        lambda: key.get("/v1/loops"),
        lambda: key.delete(routes.LOOP.format(loop_id=NO_ID)),
    ]
    for count, call in enumerate(calls, 1):
        assert rate_of(call()) == (LIMIT, LIMIT - count, next_hour(limited))
    assert rate_of(limited.nobody.send("GET", routes.LOOPS)) == (LIMIT, LIMIT, next_hour(limited))
    check = key.get(routes.KEY_TEST).data["rate_limit"]
    reset = datetime.fromisoformat(check["reset_at"])
    assert (check["limit"], check["remaining"], check["unlimited"]) == (LIMIT, LIMIT - 8, False)
    assert reset == datetime.fromtimestamp(next_hour(limited), UTC)


def test_a_call_for_which_the_scope_lacks_counts_too(limited: Backend) -> None:
    key = limited.new_key("loops:read")
    assert rate_of(key.get(routes.REQUESTS))[1] == LIMIT - 1


def test_one_call_too_many(limited: Backend) -> None:
    key = limited.new_key(*ALL)
    spend(key, LIMIT)
    seconds = next_hour(limited) - limited.clock() // 1000
    for _ in range(2):
        reply = key.get(routes.LOOPS)
        assert reply.refusal == (
            429,
            "Rate limit exceeded. Maximum 100 requests per hour per API key.",
            {
                "usage_count": LIMIT, "usage_limit": LIMIT, "remaining": 0, "retry_after": seconds,
                "reset_at": datetime.fromtimestamp(next_hour(limited), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
        )  # fmt: skip
        assert reply.headers["Retry-After"] == str(seconds)
        assert rate_of(reply) == (LIMIT, 0, next_hour(limited))
    assert limited.new_key(*ALL).get(routes.LOOPS).status == 200, "each key has its own"
    limited.clock.move(seconds)
    again = key.get(routes.LOOPS)
    assert (again.status, rate_of(again)[1]) == (200, LIMIT - 1), "a new hour at its top"


def test_a_question_withdrawn_before_anybody_took_it_gives_its_call_back(limited: Backend) -> None:
    key = limited.new_key(*ALL)
    loop = key.new_loop()
    first = key.ask(loop)
    assert rate_of(first)[1] == LIMIT - 2
    cancelled = key.delete(routes.REQUEST.format(request_id=first.data["request_id"]))
    assert rate_of(cancelled)[1] == LIMIT - 2, "one call made, one given back"
    claimed = key.asked(loop)
    limited.claim(claimed)
    kept = key.delete(routes.REQUEST.format(request_id=claimed))
    assert (rate_of(kept)[1], kept.data["refund_info"]["refunded"]) == (LIMIT - 4, False)
    assert key.get(routes.KEY_TEST).data["rate_limit"]["remaining"] == LIMIT - 5
    refused = key.delete(routes.REQUEST.format(request_id=claimed))
    assert (refused.status, rate_of(refused)[1]) == (400, LIMIT - 6)


ORIGIN = "https://app.example.com"


def test_a_page_of_a_listed_origin_may_call(backend: Backend, loop: str) -> None:
    path = routes.LOOP_REQUESTS.format(loop_id=loop)
    asks = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, content-type"}  # fmt: skip
    preflight = backend.http.options(path, headers=asks)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "authorization" in preflight.headers["Access-Control-Allow-Headers"].lower()
    assert "Access-Control-Allow-Credentials" not in preflight.headers
    made = backend.key.post(path, QUESTION, {"Origin": ORIGIN})
    assert (made.status, made.headers["Access-Control-Allow-Origin"]) == (201, ORIGIN)
    exposed = made.headers["Access-Control-Expose-Headers"]
    assert all(name in exposed for name in ("X-RateLimit-Limit", "X-RateLimit-Remaining", "Retry-After"))
    refused = backend.key.send("GET", routes.REQUEST.format(request_id=NO_ID), headers={"Origin": ORIGIN})
    assert (refused.status, refused.headers["Access-Control-Allow-Origin"]) == (404, ORIGIN)


@pytest.mark.parametrize("origin", ["https://evil.example", "https://app.example.com.evil.example", PUBLIC, "null"])
def test_a_page_of_another_origin_may_not(backend: Backend, origin: str) -> None:
    asks = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    assert backend.http.options(routes.LOOPS, headers=asks).status_code == 400
    reply = backend.key.send("GET", routes.LOOPS, headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in reply.headers


def test_without_a_list_no_page_may_call(limited: Backend) -> None:
    reply = limited.new_key().get(routes.LOOPS)
    assert not [name for name in reply.headers if name.startswith("access-control")]
