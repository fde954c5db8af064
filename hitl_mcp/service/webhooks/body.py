"""What a webhook says: one body that satisfies receivers of every generation (contract sections 5.1 and 5.2, H12).

Where it goes, and what was given up before it, is put in front when it is sent, because both can change until then.
"""

from __future__ import annotations

import json
from typing import Any

from hitl_mcp.contract.first_generation import first_answer
from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.review_result import result_of
from hitl_mcp.contract.states import Status
from hitl_mcp.contract.text import canonical
from hitl_mcp.service.clock import moment

Json = dict[str, Any]
_DETAILS = {"request.updated": "changes", "request.escalated": "escalation", "request.feedback": "feedback"}
"""Events whose entry in the log says more, and under which name the body has it."""


def of_request(event: str, event_id: str, at: int, seq: int, request: ReviewRequest, loop: Json, data: Json) -> str:
    """The body for something that happened to a request, as it was right then.

    Args:
        at: when, in milliseconds since 1970.
        seq: of the request's own log; it only rises.
        loop: id, name and creator.
        data: what the log's entry says.
    """
    item = request.model_dump(mode="json", exclude={"media", "first_delivered_at"}) | (request.media or {})
    who = request.response_by_user
    reviewer = None if who is None else {"user_id": who.id, "name": who.name, "email": who.email}
    decision = first_answer(request).decision if request.status is Status.COMPLETED else None
    about: Json = {
        "request_id": request.id,
        "loop_id": request.loop_id,
        "status": request.status.value,
        "response_data": request.response_data,
        "decision": decision,
    }
    body: Json = {
        "event": event,
        "event_id": event_id,
        "timestamp": moment(at).isoformat(),
        "seq": seq,
        **about,
        "response_by": reviewer,
        "response_by_user": None if who is None else {"id": who.id, "name": who.name, "email": who.email},
        "response_at": item["response_at"],
        "response_time_seconds": item["response_time_seconds"],
        "response_comment": item["response_comment"],
        "default_response": item["default_response"],
        "created_at": item["created_at"],
        "revision": request.revision,
        "decided_revision": request.decided_revision,
        "channel": item["response_channel"],
        "assurance": item["response_assurance"],
        "data": {**about, "request": item, "loop": loop, "reviewer": reviewer},
    }
    details = _DETAILS.get(event.replace("review.", "request."))
    if details is not None:
        body["data"][details] = data
    if event.endswith(".claimed") and "until" in data:
        body["data"]["claimed_until"] = moment(data["until"]).isoformat()
    if request.review is not None or event.startswith("review."):
        body["review"] = {"id": request.id, "state": request.status.value, "result": result_of(request)}
    return canonical(body)


def of_loop(event: str, event_id: str, at: int, loop: Json, member: Json) -> str:
    """The body for something that happened to a loop itself."""
    return canonical(
        {
            "event": event,
            "event_id": event_id,
            "timestamp": moment(at).isoformat(),
            "loop_id": loop["id"],
            "data": {"loop_id": loop["id"], "loop": loop, "member": member},
        }
    )


def of_test(event: str, event_id: str, at: int) -> str:
    """The body of a delivery that only tries an address. It names no request and decides nothing."""
    about = {"request_id": None, "status": None, "response_data": None, "decision": None}
    words = "This is a test. Nothing was asked and nothing was decided."
    return canonical(
        {
            "event": event,
            "event_id": event_id,
            "timestamp": moment(at).isoformat(),
            **about,
            "data": {**about, "message": words},
        }
    )


def addressed(body: str, url: str, skipped: int) -> bytes:
    """The body as it is signed and sent.

    Args:
        url: of the receiver, so that a signed body is worth nothing anywhere else (H12).
        skipped: how many earlier ones of the same request were given up (H29).
    """
    front = json.dumps({"url": url, "skipped": skipped}, ensure_ascii=False)
    return f"{front[:-1]}, {body[1:]}".encode()
