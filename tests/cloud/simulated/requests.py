"""Operations 9 to 14: requests (2.4 to 2.6) and feedback (2.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from tests.cloud.simulated.fields import PRIORITIES, checked
from tests.cloud.simulated.loops import joined_loop
from tests.cloud.simulated.records import Request
from tests.cloud.simulated.state import State
from tests.cloud.simulated.views import request_view, status_of
from tests.cloud.simulated.wire import Call, Json, Refused, Reply, invalid, iso, success

STATUSES = ("pending", "claimed", "completed", "timeout", "cancelled")
MOST, USUAL = 100, 50
LONGEST_COMMENT = 1000
RATINGS = ("rating", "accuracy", "timeliness", "helpfulness")
CATEGORIES = ("positive", "constructive", "issue")
Order = Callable[[Request], Any]
SORTS: dict[str, tuple[Order, bool]] = {
    "created_at_desc": (lambda request: (request.created_at, request.number), True),
    "created_at_asc": (lambda request: (request.created_at, request.number), False),
    "priority_desc": (lambda request: PRIORITIES.index(request.asked["priority"]), True),
    "status_asc": (lambda request: request.status, False),
}
"""The key of each order, and whether it runs backwards (2.5)."""


def create_request(state: State, call: Call) -> Reply:
    """POST /api/loops/{loopId}/requests (2.4)."""
    loop = state.loop(call.path["loop_id"])
    if loop.creator is not call.key.account:
        raise Refused(403, "Only loop creators can create requests")
    made = state.create(loop, call.key.account, call.key.id, checked(call.body(), state.manners))
    data: Json = {
        "request_id": made.id, "status": "pending", "processing_type": made.asked["processing_type"],
        "type": made.asked["type"], "priority": made.asked["priority"], "timeout_at": iso(made.timeout_at),
        "broadcasted_to": len(made.broadcast), "notifications_sent": sum(sent for _, sent in made.broadcast),
        "polling_url": f"/v1/api/requests/{made.id}",
    }  # fmt: skip
    return success("Request created and broadcasted successfully", data, 201)


def list_loop_requests(state: State, call: Call) -> Reply:
    """GET /api/loops/{loopId}/requests: no filters (2.5)."""
    loop = joined_loop(state, call)
    found = _sorted(state.requests_of(loop.id), "created_at_desc")
    items = [_item(state, request) for request in found]
    return success("Loop requests retrieved successfully", {"loop_id": loop.id, "requests": items, "count": len(items)})


def list_requests(state: State, call: Call) -> Reply:
    """GET /api/requests: the account's own (2.5)."""
    status, priority, loop_id = (call.query.get(name) for name in ("status", "priority", "loop_id"))
    sort = call.query.get("sort", "created_at_desc")
    if status is not None and status not in STATUSES:
        raise Refused(400, "Invalid status filter value")
    if priority is not None and priority not in PRIORITIES:
        raise invalid(f"priority must be one of: {', '.join(PRIORITIES)}")
    if sort not in SORTS:
        raise invalid(f"sort must be one of: {', '.join(SORTS)}")
    if loop_id is not None:
        state.loop(loop_id)
    limit = _whole(call, "limit", USUAL, 1, MOST, f"limit must be between 1 and {MOST}")
    offset = _whole(call, "offset", 0, 0, None, "offset must be 0 or more")
    found = [
        request for request in state.requests.values()
        if request.creator is call.key.account
        and (status is None or status_of(request, state.manners) == status)
        and (priority is None or request.asked["priority"] == priority)
        and (loop_id is None or request.loop_id == loop_id)
    ]  # fmt: skip
    page = _sorted(found, sort)[offset : offset + limit]
    data: Json = {"requests": [_item(state, request) for request in page], "count": len(page)}
    if state.manners.list_totals:
        more = offset + limit < len(found)
        following = offset + limit if more else None
        paging: Json = {"limit": limit, "offset": offset, "next_offset": following}
        data |= {"total": len(found), "has_more": more, "pagination": paging}
    return success("Requests retrieved successfully", data)


def get_request(state: State, call: Call) -> Reply:
    """GET /api/requests/{id}: of loops the account belongs to (1.2, 2.5)."""
    request = state.request(call.path["request_id"])
    if state.loops[request.loop_id].member(call.key.account.id) is None:
        raise Refused(403, "Access denied to this request")
    view = request_view(request, state.manners)
    shapes: dict[str, Json] = {"nested": {"request": view}, "flat": view, "both": view | {"request": view}}
    return success("Request retrieved successfully", shapes[state.manners.single])


def cancel_request(state: State, call: Call) -> Reply:
    """DELETE /api/requests/{id}: only with the key that made it (1.6, 2.6)."""
    request = _made_by(state, call)
    before = request.status
    state.cancel(request)
    refunded = before == "pending" and state.manners.cancel_refunds
    call.key.used -= refunded
    older: Json = {
        "cancelled_at": iso(state.now), "previous_status": before,
        "refund_info": {"refunded": refunded, "reason": f"Request was {before}"},
    }  # fmt: skip
    data: Json = {"request_id": request.id, "status": "cancelled"}
    return success("Request cancelled successfully", data | (older if state.manners.older_extras else {}))


def add_feedback(state: State, call: Call) -> Reply:
    """POST /api/requests/{id}/feedback: the creator's key, a completed request, once (2.7)."""
    request = _made_by(state, call)
    given = call.body().get("feedback")
    if not isinstance(given, dict) or not given:
        raise Refused(400, "Invalid request body")
    feedback = cast(Json, given)
    _check_feedback(feedback)
    if request.status != "completed":
        raise Refused(400, "Feedback can only be added to completed requests")
    if request.feedback is not None:
        raise Refused(400, "Feedback has already been added")  # undocumented
    request.feedback = feedback
    data: Json = {"request_id": request.id, "feedback": feedback}
    older: Json = {"feedback_id": state.new_id(), "submitted_at": iso(state.now), "reviewer_notified": True}
    return success("Feedback added successfully", data | (older if state.manners.older_extras else {}))


def _made_by(state: State, call: Call) -> Request:
    request = state.request(call.path["request_id"])
    if request.api_key_id != call.key.id:
        raise Refused(403, "Access denied to this request")
    return request


def _sorted(found: list[Request], sort: str) -> list[Request]:
    order, backwards = SORTS[sort]
    return sorted(found, key=order, reverse=backwards)


def _item(state: State, request: Request) -> Json:
    view = request_view(request, state.manners)
    if not state.manners.list_answers:
        del view["response_data"]
    return view


def _whole(call: Call, name: str, usual: int, least: int, most: int | None, fault: str) -> int:
    text = call.query.get(name, str(usual))
    value = int(text) if text.isascii() and text.isdigit() else -1
    if value < least or (most is not None and value > most):
        raise Refused(400, "Invalid pagination parameters", fault)
    return value


def _check_feedback(feedback: Json) -> None:
    for name in RATINGS:
        value = feedback.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 5:
            raise Refused(400, "Rating values must be between 1 and 5")
    comment = feedback.get("comment", "")
    if not isinstance(comment, str) or not isinstance(feedback.get("tags", []), list):
        raise Refused(400, "Invalid request body")
    if len(comment) > LONGEST_COMMENT:
        raise Refused(400, f"Comment exceeds maximum length of {LONGEST_COMMENT} characters")
    if feedback.get("category", CATEGORIES[0]) not in CATEGORIES:
        raise invalid(f"category must be one of: {', '.join(CATEGORIES)}")
