"""Short-lived tokens: what they may do in place of their key, and everything they may not (compatibility section 5)."""

from __future__ import annotations

from typing import Any

import pytest

from hitl_mcp.contract import routes
from hitl_mcp.contract.escalation import Ladder
from hitl_mcp.contract.states import Channel
from hitl_mcp.contract.teams import Scope
from hitl_mcp.service.actors import Person
from tests.rest.backend import ALL, Backend, Caller, Reply, opened

NO_ID = "0" * 24
REFUSED = (
    "A short-lived token asks, and reads or withdraws a request whose id it knows. Do this on your server, with the "
    "API key"
)
FOR_TOKENS = {
    ("GET", routes.KEY_TEST),
    ("POST", routes.LOOP_REQUESTS),
    ("GET", routes.REQUEST),
    ("DELETE", routes.REQUEST),
    ("GET", routes.REQUEST_WAIT),
    ("GET", routes.REQUEST_RESPONSE),
    ("GET", routes.REQUEST_STATUS),
}
OPEN = {routes.HEALTH, routes.READY, routes.HELLO, routes.QR_CODE}


def made(key: Caller, **wanted: Any) -> Reply:
    """A token's making."""
    return key.post(routes.TOKENS, wanted)


def token_of(key: Caller, **wanted: Any) -> Caller:
    """A caller with a fresh token."""
    reply = made(key, **wanted)
    assert reply.said == (201, "Token created"), reply.body
    return Caller(key.http, reply.data["access_token"], key.key_id, key.user_id)


def test_a_token_asks_and_reads_what_it_knows(backend: Backend, loop: str) -> None:
    reply = made(backend.key, expires_in=60, loop_ids=[loop])
    assert reply.data["access_token"].startswith("hitl_token_")
    assert (reply.data["token_type"], reply.data["expires_in"]) == ("Bearer", 60)
    assert (reply.data["scopes"], reply.data["loop_ids"]) == (["requests:read", "requests:write"], [loop])
    page = Caller(backend.http, reply.data["access_token"])
    request_id = page.asked(loop)
    backend.answer(request_id, "Approve")
    read = page.request(request_id)
    assert (read.status, read.data["status"], read.data["response_data"]) == (200, "completed", "Approve")
    assert backend.key.request(request_id).data["request"]["response_by_user"] is not None
    assert read.data["request"]["response_by_user"] is None
    assert read.data["request"]["response_by"], "a person answered"
    assert "@" not in str(read.body), "visitors are not told who the reviewers are"
    checked = page.get(routes.KEY_TEST)
    assert (checked.data["permissions"], checked.data["email"]) == (["requests:read", "requests:write"], None)
    withdrawn = page.delete(routes.REQUEST.format(request_id=page.asked(loop)))
    assert withdrawn.status == 200


def test_a_token_reaches_no_other_loop_and_no_other_keys_requests(backend: Backend, loop: str) -> None:
    page, elsewhere = token_of(backend.key, loop_ids=[loop]), backend.key.new_loop()
    assert page.ask(elsewhere).status == 403
    assert page.request(backend.key.asked(elsewhere)).refusal == (403, "Access denied to this request", None)
    assert page.request(backend.second.asked(loop)).status == 403, "another key of the same person"
    assert page.delete(routes.REQUEST.format(request_id=backend.key.asked(elsewhere))).status == 403
    limited = backend.new_key(loops=[loop])
    assert token_of(limited).ask(elsewhere).status == 403
    assert made(limited, loop_ids=[elsewhere]).status in (403, 404)
    assert made(backend.key, loop_ids=[NO_ID]).said == (404, "Loop not found")


def test_whatever_is_not_for_pages_is_refused_on_every_route(backend: Backend, loop: str) -> None:
    """Every operation of the description, so that a new one is closed unless it says otherwise (D10)."""
    page, request_id = token_of(backend.key), backend.key.asked(loop)
    known = {"loop_id": loop, "request_id": request_id, "user_id": NO_ID, "key_id": NO_ID, "template": "x", "code": "x"}
    paths = backend.nobody.get("/openapi.json").body["paths"]
    seen = 0
    for path, item in paths.items():
        for method in item:
            if (method.upper(), path) in FOR_TOKENS or path in OPEN or not path.startswith("/v1/"):
                continue
            named = dict.fromkeys(_names(path), NO_ID) | known
            body = None if method == "get" else {"response_data": "Approve", "revision": 1}
            reply = page.send(method.upper(), path.format(**named), body)
            assert reply.status in (400, 401, 403, 404), f"{method} {path}"
            if reply.status == 400:  # the body was looked at first
                assert reply.msg in ("Validation failed", "Invalid request body"), f"{method} {path} {reply.body}"
            seen += 1
    assert seen > 25
    after = backend.key.request(request_id).data
    assert (after["status"], after["response_data"]) == ("pending", None)
    for path in (routes.REQUESTS, routes.LOOP_REQUESTS.format(loop_id=loop), routes.EVENTS, routes.LOOPS):
        assert page.get(path).said == (403, REFUSED), path
    assert made(page).said == (403, REFUSED), "a token makes no token"
    by_client = routes.REQUEST_CLIENT_ANSWER.format(request_id=request_id)
    assert page.post(by_client, {"response_data": "Approve", "revision": 1}).said == (403, REFUSED)


def _names(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def test_a_token_sends_no_events_to_an_address(backend: Backend, loop: str) -> None:
    reply = token_of(backend.key).ask(loop, callback_url="https://elsewhere.example.com/hook")
    assert reply.status == 403
    assert "cannot send events" in reply.msg


def test_an_idempotency_key_leads_to_no_other_visitors_request(backend: Backend, loop: str) -> None:
    def asks(who: Caller, words: str = "May I?") -> Reply:
        body = {"processing_type": "deferred", "type": "markdown", "kind": "approval", "request_text": words}
        return who.post(routes.LOOP_REQUESTS.format(loop_id=loop), body, {routes.IDEMPOTENCY_KEY: "order-17"})

    mine, other = token_of(backend.key), token_of(backend.key)
    first, again = asks(mine), asks(mine)
    assert again.data["request_id"] == first.data["request_id"] and again.data["joined"]
    assert asks(mine, "Something else?").status == 409
    for theirs in (asks(other, "Tell me its id"), asks(backend.key)):
        assert theirs.status == 201 and first.data["request_id"] not in str(theirs.body)


def test_a_token_is_not_told_who_is_in_a_loop(backend: Backend, loop: str) -> None:
    asked = {"review": {"assignees": ["nobody@example.com"]}}
    assert "nobody@example.com" in str(backend.key.ask(loop, **asked).data["notes"])
    assert "@" not in str(token_of(backend.key).ask(loop, **asked).data["notes"])


def test_a_token_has_no_more_than_its_key(backend: Backend, loop: str) -> None:
    reader = backend.new_key("requests:read")
    assert made(reader).data["scopes"] == ["requests:read"]
    assert made(reader, scopes=["requests:write"]).status == 403
    assert made(backend.new_key("loops:read")).status == 403
    for scope in set(ALL) - {Scope.REQUESTS_READ, Scope.REQUESTS_WRITE}:
        assert made(backend.key, scopes=[scope]).status == 400, scope
    assert token_of(reader).ask(loop).status == 403
    assert token_of(backend.key, scopes=["requests:read"]).ask(loop).status == 403


@pytest.mark.parametrize("seconds", [0, -1, 3601, 1.5, "x"])
def test_a_token_lives_for_an_hour_at_most(backend: Backend, seconds: Any) -> None:
    assert made(backend.key, expires_in=seconds).status == 400


def test_a_token_ends_at_its_time(backend: Backend) -> None:
    page = token_of(backend.key, expires_in=1)
    assert page.get(routes.KEY_TEST).status == 200
    backend.clock.move(1)
    assert page.get(routes.KEY_TEST).refusal == (401, "This token is not known or has expired", None)


def test_a_token_dies_with_its_key(backend: Backend) -> None:
    key = backend.new_key()
    page = token_of(key, expires_in=3600)
    assert page.get(routes.KEY_TEST).status == 200
    assert backend.console.delete(routes.KEY.format(key_id=key.key_id)).status == 200
    backend.clock.move(2)
    assert page.get(routes.KEY_TEST).refusal == (401, "API key is inactive", None)


def test_calls_by_tokens_count_for_the_key(tmp_path_factory: pytest.TempPathFactory, no_settings: None) -> None:
    with opened("local", tmp_path_factory.mktemp("tokens"), rate_limit=5) as backend:
        key = backend.new_key()
        page, other = token_of(key), token_of(key)
        assert [page.get(routes.KEY_TEST).status for _ in range(3)] == [200] * 3
        assert other.get(routes.KEY_TEST).status == key.get(routes.KEY_TEST).status == 429


def test_a_token_reads_what_it_asked_wherever_that_climbed(backend: Backend, loop: str) -> None:
    leads = backend.key.new_loop()
    owner = Person(backend.key.user_id, "owner", Channel.INBOX)
    ladder = Ladder.model_validate({"steps": [{"to_loop": leads}]})
    backend.portal.call(backend.services.lifecycle.set_ladder, owner, loop, ladder)
    page, of_leads = token_of(backend.key, loop_ids=[loop]), token_of(backend.key, loop_ids=[leads])
    request_id = page.asked(loop)
    escalate = routes.REQUEST_ESCALATE.format(request_id=request_id)
    assert backend.reviewer().post(escalate, {"reason": "Above me"}).status == 200
    assert backend.key.request(request_id).data["request"]["loop_id"] == leads
    read = page.request(request_id)
    assert (read.status, read.data["request"]["loop_id"], read.data["request"]["escalation"]) == (200, loop, None)
    assert of_leads.request(request_id).refusal == (403, "Access denied to this request", None)
    assert of_leads.delete(routes.REQUEST.format(request_id=request_id)).status == 403
    backend.answer(request_id, "Approve", revision=2)
    assert page.get(routes.REQUEST_WAIT.format(request_id=request_id), timeout=10).data["response_data"] == "Approve"
