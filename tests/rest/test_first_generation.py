"""Code written from the first generation's samples: `content` in, `decision` out (compatibility section 2)."""

from __future__ import annotations

from typing import Any

import pytest

from hitl_mcp.contract import routes
from tests.rest.backend import QUESTION, Backend, Caller, Reply

SAMPLE: dict[str, Any] = {
    "content": "AI-generated content to review",
    "content_type": "text",
    "priority": "normal",
    "ai_analysis": {"confidence": 0.75, "flags": ["tone"], "risk_score": 0.4},
    "metadata": {"source": "blog", "author": "bot"},
}
BASES = ["/v1", ""]
"""A caller's base address with and without its `/v1`."""


def submit(caller: Caller, loop: str, base: str = "/v1", **fields: Any) -> Reply:
    """As a sample asks."""
    body = {name: value for name, value in (SAMPLE | fields).items() if value is not None}
    return caller.post(f"{base}/loops/{loop}/requests", body)


def looked_up(caller: Caller, request_id: str, base: str = "/v1") -> Reply:
    """As a sample polls: both addresses say the same."""
    status = caller.get(f"{base}/requests/{request_id}/status")
    response = caller.get(f"{base}/requests/{request_id}/response")
    assert status.body == response.body
    return response


def inside(reply: Reply) -> dict[str, Any]:
    """The request as today's callers see it."""
    return reply.data["request"]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(
    ("answer", "decision"), [("approve", "approved"), ("reject", "rejected"), ("needs_changes", "needs_changes")]
)
def test_a_sample_from_question_to_decision(
    backend: Backend, loop: str, base: str, answer: str, decision: str
) -> None:  # fmt: skip
    created = submit(backend.key, loop, base)
    assert created.said == (201, "Request created and broadcasted successfully")
    request_id = created.body["id"]
    assert (created.body["status"], created.body["decision"]) == ("pending", None)
    assert created.data["request_id"] == created.body["request_id"] == request_id
    waiting = looked_up(backend.key, request_id, base).body
    assert (waiting["id"], waiting["status"], waiting["decision"], waiting["source"]) == (
        request_id, "pending", None, None
    )  # fmt: skip
    backend.answer(request_id, answer)
    done = looked_up(backend.key, request_id, base).body
    assert (done["status"], done["decision"], done["source"]) == ("completed", decision, "human")
    assert done["response"] == answer


def test_what_is_missing_is_filled_in(backend: Backend, loop: str) -> None:
    request = inside(submit(backend.key, loop, priority=None, content_type=None, ai_analysis=None, metadata=None))
    wanted = {
        "processing_type": "deferred", "priority": "medium", "platform": "api", "type": "text", "context": None,
        "response_type": "single_select", "default_response": "reject", "dialect": "first",
    }  # fmt: skip
    assert {name: request[name] for name in wanted} == wanted
    assert [option["label"] for option in request["response_config"]["options"]] == [
        "Approve", "Reject", "Needs Changes"
    ]  # fmt: skip
    backend.clock.move(30 * 86_400 - 1)
    assert looked_up(backend.key, request["id"]).body["status"] == "pending", "30 days"
    backend.clock.move(1)
    assert looked_up(backend.key, request["id"]).body["status"] == "completed"


@pytest.mark.parametrize(
    ("word", "priority"),
    [("low", "low"), ("normal", "medium"), ("medium", "medium"), ("high", "high"), ("urgent", "critical"),
     ("critical", "critical")],
)  # fmt: skip
def test_priority_words(backend: Backend, loop: str, word: str, priority: str) -> None:
    assert inside(submit(backend.key, loop, priority=word))["priority"] == priority


@pytest.mark.parametrize("length", [1, 2_001, 10_000, 500_000])
def test_long_content_is_kept_whole(backend: Backend, loop: str, length: int) -> None:
    content = "ä" * (length - 1) + "!"
    request_id = submit(backend.key, loop, content=content).body["id"]
    assert backend.key.request(request_id).data["request"]["request_text"] == content
    seen = backend.reviewer().get(routes.REVIEW.format(request_id=request_id)).data["request"]
    assert seen["request_text"] == content


@pytest.mark.parametrize("made", ["a-", "a@", "“", "«", "'\"`", "a.b+", "1,"])
def test_text_that_is_made_to_be_slow_is_not(backend: Backend, loop: str, made: str) -> None:
    content = made * (150_000 // len(made))
    assert submit(backend.key, loop, content=content).body["id"], "what is quadratic here takes minutes"


def test_what_an_agent_added_is_kept_as_context(backend: Backend, loop: str) -> None:
    request = inside(submit(backend.key, loop, context={"order": 5}))
    assert request["context"] == {
        "order": 5, "ai_analysis": SAMPLE["ai_analysis"], "metadata": SAMPLE["metadata"]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "kept"),
    [("text", "text"), ("markdown", "markdown"), ("text/markdown", "markdown"), ("html", "text"), (None, "text")],
)
def test_content_is_literal_unless_it_is_markdown(backend: Backend, loop: str, given: str | None, kept: str) -> None:
    assert inside(submit(backend.key, loop, content_type=given))["type"] == kept


def test_content_that_is_an_object_is_shown_whole(backend: Backend, loop: str) -> None:
    request = inside(submit(backend.key, loop, content={"text": "Hello", "author": "bot"}))
    assert request["request_text"] == "Hello"
    assert request["context"]["content"] == {"author": "bot"}
    request = inside(submit(backend.key, loop, content={"title": "No text field", "n": 1}))
    assert request["request_text"] == '{\n  "title": "No text field",\n  "n": 1\n}'


@pytest.mark.parametrize("name", ["Content moderation first", "content_moderation_first", "loop_123",
                                  "CONTENT MODERATION FIRST"])  # fmt: skip
def test_a_loop_by_name_slug_or_alias(backend: Backend, name: str) -> None:
    known = backend.key.get(routes.LOOPS).data["loops"]
    there = [one["id"] for one in known if one["name"] == "Content moderation first"]
    loop = there[0] if there else backend.key.new_loop("Content moderation first")
    created = submit(backend.key, name)
    assert created.status == 201, created.body
    assert inside(created)["loop_id"] == loop
    assert inside(submit(backend.key, loop.upper()))["loop_id"] == loop


def test_a_loop_that_nobody_knows(backend: Backend) -> None:
    status, msg, data = submit(backend.key, "no_such_loop").refusal
    assert (status, msg) == (404, "Loop not found")
    assert data["loop"] == "no_such_loop" and "Default" in data["loops"]
    backend.key.new_loop("@#$%")
    assert submit(backend.key, "!!!").status == 404, "a name without letters is found by itself only"
    assert submit(backend.key, "@%23$%25").status == 201
    current = backend.key.post("/v1/loops/loop_123/requests", QUESTION)
    assert current.said == (400, "Invalid loop ID format"), "names are for bodies of the first generation"
    assert submit(backend.other, "Default").status == 404, "another person's loops are not found by name"


def test_a_name_that_several_loops_have(backend: Backend) -> None:
    """One's own goes before one that one only belongs to; of two own ones nobody can tell which is meant."""
    mine, theirs = backend.other.new_loop("Twice"), backend.key.new_loop("Twice")
    member = backend.key.post(routes.MEMBERS.format(loop_id=theirs), {"email": "grace@example.com"}).data["member"]
    backend.let_in(theirs, member["user_id"])
    assert inside(submit(backend.other, "twice"))["loop_id"] == mine
    backend.clock.move(1)
    again = backend.other.new_loop("Twice")
    data = {"loop": "twice", "loop_ids": [mine, again]}
    assert submit(backend.other, "twice").refusal == (400, "Several loops have this name", data)


def test_bodies_of_both_generations_at_one_address(backend: Backend, loop: str) -> None:
    for path in (f"/v1/loops/{loop}/requests", f"/v1/api/loops/{loop}/requests", f"/loops/{loop}/requests"):
        today = backend.key.post(path, QUESTION)
        both = backend.key.post(path, QUESTION | {"content": "ignored"})
        first = backend.key.post(path, SAMPLE)
        assert [reply.status for reply in (today, both, first)] == [201, 201, 201]
        assert "id" not in today.body and "id" not in both.body
        assert inside(both)["request_text"] == QUESTION["request_text"]
        assert first.body["id"] == inside(first)["id"]


def test_an_expired_or_cancelled_question_is_completed_and_rejected(backend: Backend, loop: str) -> None:
    cancelled = submit(backend.key, loop).body["id"]
    backend.key.delete(f"/v1/requests/{cancelled}")
    expired = submit(backend.key, loop, timeout_seconds=60, options=["Approve", "Reject"],
                     default_response="Approve").body["id"]  # fmt: skip
    backend.clock.move(60)
    for request_id, source in ((cancelled, "cancelled"), (expired, "default")):
        body = looked_up(backend.key, request_id).body
        assert (body["status"], body["decision"], body["source"]) == ("completed", "rejected", source)
    assert backend.key.request(expired).data["status"] == "timed_out", "today's callers see it as it is"


def test_a_claimed_question_still_waits(backend: Backend, loop: str) -> None:
    request_id = submit(backend.key, loop).body["id"]
    backend.claim(request_id)
    assert looked_up(backend.key, request_id).body["status"] == "pending"


@pytest.mark.parametrize(
    ("answer", "decision"),
    [("Approve", "approved"), ("Reject", "rejected"), ("Needs Changes", "needs_changes"), ("Escalate", "escalated"),
     ("Publish anyway", "rejected")],
)  # fmt: skip
def test_options_of_its_own(backend: Backend, loop: str, answer: str, decision: str) -> None:
    options = ["Approve", "Reject", "Needs Changes", "Escalate", "Publish anyway"]
    created = submit(backend.key, loop, options=options)
    assert inside(created)["default_response"] == "Reject"
    backend.answer(created.body["id"], answer)
    body = looked_up(backend.key, created.body["id"]).body
    assert (body["status"], body["decision"], body["response"]) == ("completed", decision, answer)


def test_fields_of_today_beside_content(backend: Backend, loop: str) -> None:
    config = {"scale_min": 1, "scale_max": 5}
    created = submit(backend.key, loop, response_type="rating", response_config=config, default_response=1,
                     processing_type="time-sensitive", timeout_seconds=90, platform="n8n", tags=["x"])  # fmt: skip
    request = inside(created)
    assert (request["response_type"], request["response_config"], request["default_response"]) == ("rating", config, 1)
    assert (request["processing_type"], request["platform"], request["tags"]) == ("time-sensitive", "n8n", ["x"])
    backend.answer(created.body["id"], 4)
    body = looked_up(backend.key, created.body["id"]).body
    assert (body["status"], body["response"], body["decision"]) == ("completed", 4, None), "a number decides nothing"


def test_the_answer_of_a_later_generations_question_says_nothing_else(backend: Backend, loop: str) -> None:
    """Only the first generation's fixed mapping turns a label into a decision (H6)."""
    asked = backend.key.asked(loop)
    backend.answer(asked, "Approve")
    body = looked_up(backend.key, asked).body
    assert (body["status"], body["decision"], body["response"]) == ("completed", None, "Approve")


@pytest.mark.parametrize(
    ("wrong", "msg", "data"),
    [
        ({"content": ""}, "Validation failed", "content must not be empty"),
        ({"content": "  "}, "Validation failed", "content must not be empty"),
        ({"content": {"text": ""}}, "Validation failed", "content must not be empty"),
        ({"content": "x" * 500_001}, "Validation failed", "content must be at most 500000 characters"),
        ({"priority": "soon"}, "Validation failed",
         "priority must be one of: low, normal, medium, high, urgent, critical"),
        ({"timeout_seconds": 59}, "Validation failed",
         "timeout_seconds must be between 60 and 86400 (time-sensitive) or 2592000 (deferred)"),
        ({"processing_type": "time-sensitive"}, "timeout_seconds is required for time-sensitive requests", None),
        ({"options": ["Yes", "yes"]}, "Invalid response configuration", ...),
        ({"metadata": {"a": "\0"}}, "Validation failed", "metadata must not contain the character U+0000"),
    ],
)  # fmt: skip
def test_a_body_that_does_not_fit(backend: Backend, loop: str, wrong: dict[str, Any], msg: str, data: Any) -> None:
    refusal = submit(backend.key, loop, **wrong).refusal
    assert refusal[:2] == (400, msg)
    assert data is ... or refusal[2] == data
    nothing = backend.key.post(f"/v1/loops/{loop}/requests", {"content": None})
    assert nothing.refusal == (400, "Validation failed", "content must not be empty")


def test_who_may_look(backend: Backend, loop: str) -> None:
    request_id = submit(backend.key, loop).body["id"]
    assert looked_up(backend.second, request_id).status == 200
    assert looked_up(backend.other, request_id).refusal == (403, "Access denied to this request", None)
    assert looked_up(backend.key, "0" * 24).refusal == (404, "Request not found", None)
    assert looked_up(backend.key, "abc").said == (400, "Invalid request ID format")
    denied = submit(backend.other, loop)
    assert denied.refusal == (403, "Only loop creators can create requests", None)


def test_asked_once_with_an_idempotency_key(backend: Backend, loop: str) -> None:
    path, once = f"/v1/loops/{loop}/requests", {routes.IDEMPOTENCY_KEY: "first-1"}
    first, again = backend.key.post(path, SAMPLE, once), backend.key.post(path, SAMPLE, once)
    assert (first.status, again.status) == (201, 200)
    assert first.body["id"] == again.body["id"]
    assert backend.key.post(path, SAMPLE | {"content": "Other"}, once).status == 409
