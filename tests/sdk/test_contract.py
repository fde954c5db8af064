"""One contract, four backends, two clients: every public method, and what each error carries (D1)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import anyio
import pytest

from hitl_mcp import AsyncHITLClient
from hitl_mcp.contract.models import NewRequest, RequestFilter
from hitl_mcp.contract.outcome import Outcome, outcome_of
from hitl_mcp.contract.states import Kind, Status
from hitl_mcp.errors import BadRequest, BatchFailed, Conflict, NotFound, NotSupported, Refused
from tests.rest.backend import QUESTION
from tests.sdk.backends import Place
from tests.world import WAIT

pytestmark = pytest.mark.anyio

NO_ID = "f" * 24
TYPES: list[tuple[str, dict[str, Any], Any, Any]] = [
    # type, config, default, answer
    ("single_select", {"options": ["Blue", "Green"]}, "Blue", "Green"),
    ("multi_select", {"options": ["A", "B", "C"], "max_selections": 2}, ["A"], ["B", "C"]),
    ("rating", {"scale_min": 1, "scale_max": 5}, 3, 5),
    ("number", {"min_value": 0, "max_value": 100, "decimal_places": 1}, 0, 9.5),
    ("text", {"max_length": 500}, "none", "fine"),
    ("boolean", {"true_label": "Ship", "false_label": "Wait"}, False, True),
    (
        "editable_text",
        {"draft_text": "Dear", "max_length": 100},
        "Dear",
        {"revised_text": "Dear all", "was_edited": True},
    ),
]  # fmt: skip
ANSWERS = [("Approve", Outcome.APPROVED), ("Reject", Outcome.REJECTED), ("Needs Changes", Outcome.NEEDS_CHANGES)]


def question(text: str = "Publish it?", **fields: Any) -> dict[str, Any]:
    """A whole question, which every backend takes."""
    return QUESTION | {"request_text": text} | fields


async def supported(place: Place, work: Awaitable[Any], operation: str) -> bool:
    """Do it; on the cloud it must be refused as not supported instead."""
    if place.kind != "cloud":
        await work
        return True
    with pytest.raises(NotSupported) as caught:
        await work
    assert (caught.value.operation, caught.value.backend) == (operation, "cloud")
    assert str(caught.value).count(".") >= 2, "says what to do instead"
    return False


# the backend


async def test_the_backend_and_its_key(client: AsyncHITLClient, place: Place) -> None:
    where = await client.backend()
    assert where.name == {"local": "local", "cloud": "cloud"}.get(place.kind, "server")
    facts = await client.check_key()
    assert facts.api_key_id
    assert facts.account_status == "active"
    assert facts.rate_limit is not None
    assert facts.rate_limit.limit > 0


# loops and members


async def test_a_loop_lives(client: AsyncHITLClient, place: Place) -> None:
    made = await client.create_loop("Deployments", icon="rocket", description="What goes out")
    assert made.loop_id == made.loop.id
    assert made.invite_code
    assert made.invite_code in made.join_url
    found = await client.get_loop(made.loop.id)
    assert (found.name, found.icon, found.description) == ("Deployments", "rocket", "What goes out")
    assert made.loop.id in [one.id for one in await client.list_loops()]
    changed = await client.update_loop(made.loop.id, name="Releases")
    assert (changed.name, changed.description) == ("Releases", "What goes out")
    assert "Releases" in [one.name for one in await client.list_loops()], "a change empties the memory"
    await client.delete_loop(made.loop.id)
    assert made.loop.id not in [one.id for one in await client.list_loops()]
    with pytest.raises(NotFound):
        await client.get_loop(made.loop.id)


async def test_the_list_of_loops_is_remembered(client: AsyncHITLClient) -> None:
    known = [one.id for one in await client.list_loops()]
    async with AsyncHITLClient() as other:
        made = (await other.create_loop("Made elsewhere")).loop.id
    remembered = await client.list_loops()  # for 3 s, so what it holds is not asserted here
    remembered.clear()
    assert {one.id for one in await client.list_loops()} >= set(known), "the caller's list is the caller's own"
    assert made in [one.id for one in await client.list_loops(fresh=True)]


async def test_members(client: AsyncHITLClient, loop: str, place: Place) -> None:
    (owner,) = await client.list_members(loop)
    assert owner.status == "active"
    if not await supported(place, client.add_member(loop, "grace@example.com", "Grace"), "add_member"):
        return
    invited = next(one for one in await client.list_members(loop) if one.email == "grace@example.com")
    assert (invited.name, invited.status) == ("Grace", "pending")
    await client.remove_member(loop, invited.user_id)
    assert [one.user_id for one in await client.list_members(loop)] == [owner.user_id]


async def test_an_invitation_is_renewed(client: AsyncHITLClient, loop: str, place: Place) -> None:
    if await supported(place, client.renew_invite(loop), "renew_invite"):
        first, second = await client.renew_invite(loop), await client.renew_invite(loop)
        assert first.invite_code != second.invite_code


# asking


@pytest.mark.parametrize(("kind", "config", "default", "answer"), TYPES, ids=[one[0] for one in TYPES])
async def test_each_response_type(
    client: AsyncHITLClient, loop: str, place: Place, kind: str, config: dict[str, Any], default: Any, answer: Any
) -> None:
    body = question(response_type=kind, response_config=config, default_response=default)
    asked = await client.create_request(loop, body)
    place.answer(asked.request_id, answer)
    request = await client.get_request(asked.request_id)
    assert (request.status, request.response_data) == (Status.COMPLETED, answer)
    assert outcome_of(request) is Outcome.ANSWERED, "an answer to a question is never an approval"


async def test_keywords_mapping_and_model_ask_the_same(client: AsyncHITLClient, loop: str) -> None:
    body = question(context={"ticket": 7}, platform="api")
    made = [
        await client.create_request(loop, **body),
        await client.create_request(loop, body),
        await client.create_request(loop, NewRequest.model_validate(body)),
        await client.create_request(loop, body | {"priority": "low"}, priority="medium"),
        await client.create_request(loop, NewRequest.model_validate(body | {"priority": "low"}), priority="medium"),
    ]
    assert len({one.request_id for one in made}) == len(made), "without a key each is a question of its own"
    for one in made:
        request = await client.get_request(one.request_id)
        assert (request.request_text, request.context, request.priority) == ("Publish it?", {"ticket": 7}, "medium")
        assert one.request.id == one.request_id
        assert one.status is Status.PENDING


@pytest.mark.parametrize(("label", "outcome"), ANSWERS, ids=[one[0] for one in ANSWERS])
async def test_an_approval(client: AsyncHITLClient, loop: str, place: Place, label: str, outcome: Outcome) -> None:
    asked = await client.request_approval(loop, "Delete the backup?", timeout_seconds=3600, context={"size": 3})
    assert asked.request.kind is Kind.APPROVAL
    assert outcome_of(asked.request) is Outcome.PENDING
    place.answer(asked.request_id, label)
    request = await client.get_request(asked.request_id)
    assert outcome_of(request) is outcome
    assert request.decision == outcome.value
    assert request.context == {"size": 3}


async def test_nobody_answers_and_that_is_no_approval(client: AsyncHITLClient, loop: str, place: Place) -> None:
    asked = await client.request_approval(loop, "Delete it?", processing_type="time-sensitive", timeout_seconds=60)
    place.move(61)
    request = await client.get_request(asked.request_id)
    assert (request.status, outcome_of(request)) == (Status.TIMEOUT, Outcome.TIMED_OUT)
    assert request.response_data is None
    assert request.decision is None


async def test_a_withdrawn_approval(client: AsyncHITLClient, loop: str) -> None:
    asked = await client.request_approval(loop, "Delete it?", timeout_seconds=3600)
    withdrawn = await client.cancel_request(asked.request_id)
    assert (withdrawn.id, withdrawn.status) == (asked.request_id, Status.CANCELLED)
    assert outcome_of(await client.get_request(asked.request_id)) is Outcome.CANCELLED


async def test_one_key_is_one_question(client: AsyncHITLClient, loop: str) -> None:
    first = await client.create_request(loop, question(), idempotency_key=f"order {loop}")
    again = await client.create_request(loop, question(), idempotency_key=f"order {loop}")
    assert (first.joined, again.joined) == (False, True)
    assert again.request_id == first.request_id
    with pytest.raises(Conflict):
        await client.create_request(loop, question("Something else?"), idempotency_key=f"order {loop}")


@pytest.mark.parametrize("key", ["", " ", "bestätigt", "x" * 201])
async def test_a_key_that_no_header_holds_is_refused(client: AsyncHITLClient, loop: str, key: str) -> None:
    with pytest.raises(BadRequest) as caught:
        await client.create_request(loop, question(), idempotency_key=key)
    assert caught.value.field == "idempotency_key"


# reading


async def test_lists_and_filters(client: AsyncHITLClient, loop: str, place: Place) -> None:
    ids: list[str] = []
    for i in range(3):
        ids.append((await client.create_request(loop, question(f"Number {i}?", priority="low"))).request_id)
        place.move(1)
    place.answer(ids[1], "Approve")
    newest = await client.list_requests(loop_id=loop)
    assert sorted(one.id for one in newest) == sorted(ids)
    oldest = await client.list_requests(RequestFilter(loop_id=loop, sort="created_at_asc", limit=2, offset=1))
    assert [one.id for one in oldest] == ids[1:]
    assert [one.id for one in await client.list_requests(loop_id=loop, status="completed")] == [ids[1]]
    assert await client.list_requests(loop_id=loop, priority="critical") == []
    assert sorted(one.id for one in await client.list_loop_requests(loop)) == sorted(ids)
    assert [one.id for one in await client.list_loop_requests(loop, status="completed")] == [ids[1]]
    with pytest.raises(BadRequest) as caught:
        await client.list_requests(limit=101)
    assert caught.value.field == "limit"


async def test_looking(client: AsyncHITLClient, loop: str) -> None:
    asked = await client.create_request(loop, question())
    assert (await client.look(asked.request_id)).request_text == "Publish it?"


async def test_a_request_is_changed(client: AsyncHITLClient, loop: str, place: Place) -> None:
    asked = await client.create_request(loop, question())
    if await supported(place, client.update_request(asked.request_id, priority="critical"), "update_request"):
        changed = await client.update_request(asked.request_id, request_text="Publish it now?")
        assert (changed.revision, changed.priority, changed.request_text) == (3, "critical", "Publish it now?")
        with pytest.raises(BadRequest):
            await client.update_request(asked.request_id)


async def test_feedback(client: AsyncHITLClient, loop: str, place: Place) -> None:
    asked = await client.create_request(loop, question())
    with pytest.raises(Refused):  # open: nothing to rate yet
        await client.add_feedback(asked.request_id, rating=4)
    place.answer(asked.request_id, "Approve")
    await client.add_feedback(asked.request_id, {"rating": 4}, comment="Quick")
    with pytest.raises(BadRequest) as caught:
        await client.add_feedback(asked.request_id, rating=6)
    assert caught.value.field == "rating"


async def test_what_happened_since(client: AsyncHITLClient, loop: str, place: Place) -> None:
    if not await supported(place, client.changes_after(None), "list_changes"):
        return
    _, position = await client.changes_after(None)
    asked = await client.create_request(loop, question())
    with anyio.fail_after(WAIT):
        while (asked.request_id, "created") not in await seen_since(client, position):
            await anyio.sleep(0.01)


async def seen_since(client: AsyncHITLClient, position: int) -> list[tuple[str, str]]:
    """Requests and what happened to them."""
    changes, reached = await client.changes_after(position)
    assert reached >= position
    return [(change.request_id, change.type) for change in changes]


async def test_webhooks(client: AsyncHITLClient, loop: str, place: Place) -> None:
    if place.kind == "cloud":
        with pytest.raises(NotSupported) as caught:
            await client.create_webhook({"url": "https://example.com"})
        assert caught.value.operation == "create_webhook"
        return
    data = {"url": "https://192.0.2.1/hook", "events": ["request.completed"], "loop_id": loop}
    with pytest.raises(BadRequest, match="HITL_OUTGOING_ALLOW"):
        await client.create_webhook(data)
    made = await client.create_webhook({**data, "url": "https://1.1.1.1/hook", "secret": "a-secret-of-mine-1"})
    assert made["id"] == made.id and made.secret == "a-secret-of-mine-1"
    assert [hook.id for hook in await client.list_webhooks()] == [made.id]
    found = await client.get_webhook(made.id)
    assert (found.url, found.events, found.loop_id, found.secret) == (made.url, ["request.completed"], loop, None)
    changed = await client.update_webhook(made.id, enabled=False, events=["*", "!request.claimed"])
    assert (changed.enabled, changed.events) == (False, ["*", "!request.claimed"])
    rotated = await client.rotate_webhook(made.id, overlap_seconds=60)
    assert rotated.secret not in (None, made.secret) and rotated.former_secret_until is not None
    assert await client.list_deliveries(made.id) == []
    with pytest.raises(BadRequest, match="disabled"):
        await client.redeliver(made.id, since="2020-01-01T00:00:00Z")
    with pytest.raises(BadRequest, match="never sent"):
        await client.create_webhook({**data, "events": ["request.complete"]})
    await client.delete_webhook(made.id)
    with pytest.raises(NotFound):
        await client.get_webhook(made.id)
    asked = await client.request_approval(loop, "Ship it?", callback_url="https://192.0.2.1/")
    assert await client.list_callbacks(asked.request_id) == []


# waiting


async def test_waiting_until_it_is_decided(client: AsyncHITLClient, loop: str, place: Place) -> None:
    asked = await client.request_approval(loop, "Ship it?", timeout_seconds=3600, priority="critical")
    found: list[Any] = []

    async def wait() -> None:
        found.append(await client.wait_for_decision(asked))

    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.lowlevel.checkpoint()
            place.answer(asked.request_id, "Approve")
    assert outcome_of(found[0]) is Outcome.APPROVED
    await client.deliver_request(asked.request_id)
    assert (await client.get_request(asked.request_id)).first_delivered_at is not None


async def test_several_wait_and_each_hears_of_its_own(client: AsyncHITLClient, loop: str, place: Place) -> None:
    asked = await client.create_requests(loop, [question(f"Number {i}?") for i in range(3)])
    found: dict[str, Any] = {}

    async def wait(request_id: str) -> None:
        found[request_id] = (await client.wait_for_decision(request_id)).response_data

    with anyio.fail_after(2 * WAIT):
        async with anyio.create_task_group() as tasks:
            for one in asked:
                tasks.start_soon(wait, one.request_id)
            await anyio.lowlevel.checkpoint()
            for one, answer in zip(asked, ("Approve", "Reject", "Needs Changes"), strict=True):
                place.answer(one.request_id, answer)
    assert [found[one.request_id] for one in asked] == ["Approve", "Reject", "Needs Changes"]


async def test_waiting_for_what_is_over(client: AsyncHITLClient, loop: str, place: Place) -> None:
    asked = await client.create_request(loop, question())
    place.answer(asked.request_id, "Reject")
    closed = await client.get_request(asked.request_id)
    with anyio.fail_after(WAIT):
        assert (await client.wait_for_decision(closed)).response_data == "Reject"
        assert (await client.wait_for_decision(asked.request_id)).response_data == "Reject"


async def test_giving_up_waiting_withdraws_nothing(client: AsyncHITLClient, loop: str) -> None:
    asked = await client.create_request(loop, question())
    with anyio.fail_after(WAIT):
        assert (await client.wait_for_decision(asked, timeout=0.2)).status is Status.PENDING
        assert (await client.wait_for_decision(asked.request_id, timeout=0)).status is Status.PENDING
    assert (await client.get_request(asked.request_id)).status is Status.PENDING


async def test_cancelled_meanwhile(client: AsyncHITLClient, loop: str) -> None:
    asked = await client.create_request(loop, question())
    found: list[Any] = []

    async def wait() -> None:
        found.append(await client.wait_for_decision(asked))

    with anyio.fail_after(WAIT):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.lowlevel.checkpoint()
            await client.cancel_request(asked.request_id)
    assert found[0].status is Status.CANCELLED


async def test_waiting_for_what_does_not_exist_says_so_plainly(client: AsyncHITLClient) -> None:
    with pytest.raises(NotFound), anyio.fail_after(WAIT):
        await client.wait_for_decision(NO_ID)


# many


async def test_many_at_once_with_progress(client: AsyncHITLClient, loop: str, place: Place) -> None:
    seen: list[tuple[int, int]] = []
    items = [question(f"Number {i}?") for i in range(5)]
    asked = await client.create_requests(loop, items, at_once=2, on_progress=lambda done, of: seen.append((done, of)))
    assert seen == [(i, 5) for i in range(1, 6)]
    assert [one.request.request_text for one in asked] == [one["request_text"] for one in items]
    for one in asked:
        place.answer(one.request_id, "Approve")
    with anyio.fail_after(2 * WAIT):
        decided = await client.wait_for_decisions([asked[0], asked[1].request_id, *asked[2:]])
    assert [one.id for one in decided] == [one.request_id for one in asked]
    assert {one.status for one in decided} == {Status.COMPLETED}


async def test_some_of_many_fail(client: AsyncHITLClient, loop: str) -> None:
    with pytest.raises(BatchFailed) as caught:
        await client.create_requests(loop, [question(), question(priority="huge"), question()])
    first, second, third = caught.value.results
    assert isinstance(second, BadRequest)
    assert second.field == "priority"
    for one in (first, third):
        assert (await client.get_request(one.request_id)).status is Status.PENDING


# errors


async def test_what_a_bad_request_says(client: AsyncHITLClient, loop: str) -> None:
    with pytest.raises(BadRequest) as caught:
        await client.create_request(loop, question(timeout_seconds=1))
    assert (caught.value.status, caught.value.field) == (400, "timeout_seconds")
    with pytest.raises(BadRequest) as caught:
        await client.create_request(loop, question(response_config={"options": []}))
    assert (caught.value.field or "").startswith("response_config")


@pytest.mark.parametrize("request_id", [NO_ID, "../loops", "not an id"])
async def test_what_does_not_exist(client: AsyncHITLClient, request_id: str) -> None:
    with pytest.raises((NotFound, BadRequest)):
        await client.get_request(request_id)
    with pytest.raises((NotFound, BadRequest)):
        await client.cancel_request(request_id)


async def test_a_loop_that_does_not_exist(client: AsyncHITLClient) -> None:
    with pytest.raises(NotFound):
        await client.create_request(NO_ID, question())


async def test_somebody_was_first(client: AsyncHITLClient, loop: str, place: Place) -> None:
    asked = await client.create_request(loop, question())
    place.answer(asked.request_id, "Approve")
    with pytest.raises(Conflict) as caught:
        await client.cancel_request(asked.request_id)
    assert caught.value.decided_by
    assert (await client.get_request(asked.request_id)).response_data == "Approve"


async def test_a_token_stands_for_the_key_for_a_while(place: Place, client: AsyncHITLClient) -> None:
    if await supported(place, client.create_token(60), "create_token"):
        token = await client.create_token(60, scopes=["requests:read"])
        assert token.access_token.startswith("hitl_token_") and token.access_token not in repr(token)
        assert token.scopes == ["requests:read"]
