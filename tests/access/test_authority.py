"""Nobody acts beyond what they are: viewers, newcomers and keys, on what is another's, with everything else right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hitl_mcp.contract import routes
from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.service.inbox import create_inbox
from hitl_mcp.service.web.app import create_api
from tests.access.gallery import NEWCOMER, OWNER, REVIEWER, VIEWER, Gallery, token_of
from tests.access.test_crawler import contents, differences, filled
from tests.test_self_approval import walk

pytestmark = pytest.mark.anyio

ONES_OWN = ("/sign-", "/open-again", "/join/", "/reach", "/account", "/webhooks")
"""What everybody may do to what is theirs; below these only addresses with somebody's id are tried."""

MAY = {"/loops", "/keys", "/loops/{loop_id:str}/leave"}
"""A loop or key of their own, and leaving one they are in, are anybody's to choose."""


def _body(gallery: Gallery, request: str, me: str) -> dict[str, Any]:
    return {
        "revision": "1", "answer": "approve", "comment": "x", "whom": me, "question": "Why?", "note": "Take it",
        "item": request, f"revision-{request}": "1", "loop": gallery.loop_id, "user": gallery.people[NEWCOMER].user_id,
        "user_id": me, "enabled": "0", "shows_text": "0", "role": "owner", "name": "Mine now", "email": "m@example.com",
        "reason": "x", "description": "x", "icon": "x", "guidelines": "x", "undo_seconds": "5", "events": "request.*",
        "url": "https://evil.example/", "scopes": "requests:write",
    }  # fmt: skip


async def _targets(gallery: Gallery, who: str) -> list[tuple[str, dict[str, str]]]:
    """Requests this person may not act on, each with the ids of what surrounds it."""
    theirs = {name: gallery.held[name] for name in ("channel_id", "webhook_id", "digest")}
    names = ["elsewhere", "elsewhere closed"] if who == REVIEWER else ["approval", "claimed by another", "elsewhere"]
    loops = {"elsewhere": gallery.own_loop, "elsewhere closed": gallery.own_loop}
    owner = gallery.on.services.account.user_id
    return [
        (
            gallery.asked[name],
            theirs | {"request_id": gallery.asked[name], "loop_id": loops.get(name, gallery.loop_id), "user_id": owner,
                      "code": "AAAAAAAAA"},
        )
        for name in names
    ]  # fmt: skip


@pytest.mark.parametrize("who", [REVIEWER, VIEWER, NEWCOMER])
async def test_a_person_changes_nothing_that_is_not_theirs_to_change(
    gallery: Gallery, folder_of: Path, who: str
) -> None:
    targets = await _targets(gallery, who)
    posts = sorted({path for method, path in walk(create_inbox(gallery.on.services)) if method == "POST"})
    posts = [path for path in posts if "{" in path or not path.startswith(ONES_OWN)]
    posts = [path for path in posts if not path.startswith("/join/") and path not in MAY]
    before = contents(folder_of)
    wrong: list[str] = []
    async with gallery.http(who) as client:
        token = {"token": token_of((await client.get("/")).text)}
        for request, values in targets:
            body = token | _body(gallery, request, gallery.people[who].user_id)
            for path in posts:
                answer = await client.post(filled(path, values), data=body)
                if answer.status_code >= 500:
                    wrong.append(f"POST {path}: {answer.status_code}")
                if changed := differences(before, contents(folder_of)):
                    wrong.append(f"POST {path} by the {who} ({answer.status_code}) changed {changed[:3]}")
                    before = contents(folder_of)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("who", [REVIEWER, VIEWER, "a key of another loop"])
async def test_the_api_lets_nobody_change_what_is_not_theirs(gallery: Gallery, folder_of: Path, who: str) -> None:
    is_key = who.startswith("a key")
    if is_key:
        key: Endpoint = gallery.on.endpoint(await gallery.on.key(name="other", loop_ids=[gallery.own_loop]))
    else:
        key = (await gallery.at_terminal(who)).session
    targets = await _targets(gallery, VIEWER if is_key else who)
    walked = [(method, path) for method, path in walk(create_api(gallery.on.services))
              if method not in ("GET", "HEAD", "OPTIONS") and "{" in path]  # fmt: skip
    assert ("POST", routes.REQUEST_RESPOND) in walked
    before = contents(folder_of)
    wrong: list[str] = []
    async with gallery.http(Authorization=f"Bearer {key.key}") as client:
        for request, values in targets:
            if is_key and values["loop_id"] == gallery.own_loop:
                continue
            body = _body(gallery, request, gallery.people[VIEWER].user_id)
            body |= {"revision": 1, "response_data": "approve", "request_text": "Mine", "enabled": False,
                     "feedback": {"rating": 5}, "to": None, "overlap_seconds": 0}  # fmt: skip
            for method, path in walked:
                answer = await client.request(method, filled(path, values), json=body)
                if answer.status_code >= 500:
                    wrong.append(f"{method} {path}: {answer.status_code}")
                if changed := differences(before, contents(folder_of)):
                    wrong.append(f"{method} {path} by {who} ({answer.status_code}) changed {changed[:3]}")
                    before = contents(folder_of)
    assert not wrong, "\n".join(wrong)


async def test_the_owner_may(gallery: Gallery) -> None:
    """The forms above are right in everything but who sends them: the owner's are taken."""
    request = await gallery.ask("The owner decides", loop_id=gallery.own_loop)
    async with gallery.http(OWNER) as client:
        token = {"token": token_of((await client.get("/")).text)}
        body = token | _body(gallery, request, gallery.on.services.account.user_id)
        assert (await client.post(f"/requests/{request}/decision", data=body)).status_code == 303


async def test_a_form_takes_no_more_than_the_api(gallery: Gallery, folder_of: Path) -> None:
    """Lengths and characters: what is said beside an answer is bounded as the answer is (H24, H42)."""
    request, me = gallery.asked["hidden"], gallery.people[REVIEWER].user_id
    async with gallery.http(REVIEWER) as client:
        token = {"token": token_of((await client.get("/")).text)}
        before = contents(folder_of)
        for path, good in {"hand": {"whom": me, "note": "x"}, "ask": {"question": "x"},
                           "decision": {"revision": "1", "answer": "approve", "comment": "x"}}.items():  # fmt: skip
            long = list(good)[-1]
            for text in ("x" * 2001, "a\x00b"):
                body = token | good | {long: text}
                answer = await client.post(f"/requests/{request}/{path}", data=body)
                assert answer.status_code == 422, (path, text[:5], answer.status_code)
        wrong = differences(before, contents(folder_of))
    assert not wrong, wrong


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
async def test_whom_nobody_has_let_in_makes_the_service_call_nobody(gallery: Gallery, folder_of: Path) -> None:
    """A newcomer is anybody who has seen a code (H10): no channel, no webhook, no test of one."""
    before = contents(folder_of)
    async with gallery.http(NEWCOMER) as client:
        token = {"token": token_of((await client.get("/")).text)}
        for path, body in {
            "/reach/channels": {"address": "jsons://example.com/x"},
            "/reach/browser": {"subscription": "{}"},
            "/reach/test": {},
            "/webhooks": {"url": "https://example.com/hook", "events": "*"},
        }.items():
            assert (await client.post(path, data=token | body)).status_code == 403, path
    wrong = differences(before, contents(folder_of))
    assert not wrong, wrong
