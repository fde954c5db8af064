"""Bodies and answers of the first generation, on every backend and with both clients (compatibility sections 2, 3)."""

from __future__ import annotations

from typing import Any

import pytest

from hitl_mcp import AsyncHITLClient
from hitl_mcp.contract import routes
from hitl_mcp.contract.first_generation import first_answer
from hitl_mcp.contract.states import Kind, Status
from hitl_mcp.errors import BadRequest, NotFound
from tests.sdk.backends import Own, Place

pytestmark = pytest.mark.anyio

CONTENT: dict[str, Any] = {"content": "Summer sale, 50 % off!", "content_type": "text", "priority": "normal"}


async def test_a_body_of_that_generation_is_an_approval_of_its_content(client: AsyncHITLClient, loop: str) -> None:
    given = {**CONTENT, "ai_analysis": {"confidence": 0.4, "flags": ["price"]}, "metadata": {"user": "u1"}}
    created = await client.create_request(loop, given)
    assert created.id == created.request_id == created["id"] == created["request_id"]
    assert created.get("status") == "pending"
    assert created.get("no such thing", "-") == "-"
    request = created.request
    assert (request.kind, request.priority) == (Kind.APPROVAL, "medium")
    assert request.request_text == CONTENT["content"]
    assert request.context is not None
    assert request.context["ai_analysis"] == given["ai_analysis"]
    assert request.context["metadata"] == given["metadata"]


async def test_the_loop_may_be_said_by_its_name_or_slug(client: AsyncHITLClient, loop: str) -> None:
    name = f"Night watch {loop}"
    await client.update_loop(loop, name=name)
    for called in (name, name.lower().replace(" ", "_")):
        created = await client.create_request(called, CONTENT)
        assert created.request.loop_id == loop
    with pytest.raises((BadRequest, NotFound)) as caught:
        await client.create_request("no such loop", CONTENT)
    assert name in str(caught.value), "says which loops there are"


async def test_long_content_is_whole(client: AsyncHITLClient, loop: str) -> None:
    text = "word " * 1000 + "end"
    created = await client.create_request(loop, {"content": text})
    shown = (created.request.context or {}).get("content", created.request.request_text)
    assert shown == text


async def test_content_of_pandas_kinds_is_sent(client: AsyncHITLClient, loop: str) -> None:
    given = {"content": {"text": "Scores", "mean": float("nan"), "rows": (1, 2)}}
    created = await client.create_request(loop, given)
    assert created.request.request_text == "Scores"
    assert (created.request.context or {})["content"] == {"mean": None, "rows": [1, 2]}


async def test_empty_content_is_refused(client: AsyncHITLClient, loop: str) -> None:
    with pytest.raises(BadRequest) as caught:
        await client.create_request(loop, {"content": "  "})
    assert "content" in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "decision"), [("Approve", "approved"), ("Reject", "rejected"), ("Needs Changes", "needs_changes")]
)
async def test_a_persons_decision(client: AsyncHITLClient, place: Place, loop: str, answer: str, decision: str) -> None:
    created = await client.create_request(loop, CONTENT)
    waiting = await client.get_response(created.id)
    assert (waiting.status, waiting.decision, waiting.source) == ("pending", None, None)
    place.answer(created.id, answer)
    said = await client.get_response(created.id)
    assert (said["id"], said["request_id"]) == (created.id, created.id)
    assert (said.status, said.get("decision"), said["source"]) == ("completed", decision, "human")


async def test_what_nobody_answered_is_completed_and_rejected(client: AsyncHITLClient, place: Place, loop: str) -> None:
    given = {**CONTENT, "processing_type": "time-sensitive", "timeout_seconds": 60}
    late, withdrawn = await client.create_request(loop, given), await client.create_request(loop, CONTENT)
    await client.cancel_request(withdrawn.id)
    place.move(61)
    for created, source in ((late, "default"), (withdrawn, "cancelled")):
        said = await client.get_response(created.id)
        assert (said.status, said.decision, said.source) == ("completed", "rejected", source)


async def test_an_idempotency_key_finds_the_same_request(client: AsyncHITLClient, loop: str) -> None:
    first = await client.create_request(loop, CONTENT, idempotency_key=f"sale-{loop}")
    again = await client.create_request(loop, CONTENT, idempotency_key=f"sale-{loop}")
    assert (again.id, again.joined) == (first.id, True)


async def test_the_client_and_the_service_say_the_same(client: AsyncHITLClient, place: Place, loop: str) -> None:
    if not isinstance(place, Own):
        return  # the cloud has no such words of its own
    bodies: list[dict[str, Any]] = [
        CONTENT, {**CONTENT, "options": ["Approve", "Escalate", "Reject"]},
        {"request_text": "Which?", "response_type": "single_select", "response_config": {"options": ["Approve", "No"]}},
    ]  # fmt: skip
    for body in bodies:
        for answer in ("Approve", "Escalate", "No", None):
            created = await client.create_request(loop, body)
            options = str(created.request.response_config["options"])
            if answer is None:
                await client.cancel_request(created.id)
            elif f"'{answer}'" in options:
                place.answer(created.id, answer)
            wire = place.service.key.get(routes.REQUEST_RESPONSE.format(request_id=created.id)).body
            ours = (await client.get_response(created.id)).model_dump(mode="json")
            assert ours == {name: wire[name] for name in ours}


async def test_only_a_person_makes_it_approved(client: AsyncHITLClient, place: Place, loop: str) -> None:
    created = await client.create_request(loop, CONTENT)
    place.answer(created.id, "Approve")
    approved = await client.get_request(created.id)
    assert first_answer(approved).decision == "approved"
    for change in (
        {"response_by": None}, {"status": Status.TIMEOUT}, {"status": Status.CANCELLED}, {"status": Status.PENDING},
        {"response_at": approved.timeout_at}, {"decided_revision": 7}, {"kind": Kind.QUESTION, "dialect": None},
        {"response_data": True}, {"response_config": {"options": ["Approve"]}},
    ):  # fmt: skip
        assert first_answer(approved.model_copy(update=change)).decision != "approved", change
