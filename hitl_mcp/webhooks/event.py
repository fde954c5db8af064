"""What a webhook says, in one form for every generation of the documents (contract section 5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from hitl_mcp.contract.first_generation import DecisionWord
from hitl_mcp.webhooks.payload import Payload, Responder, as_id, as_time, unreadable


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """One event.

    Attributes:
        event: `request.completed` and the like.
        request_id: the request; for a review, the review's id where no other is given. None for events of other things.
        status: `pending`, `claimed`, `completed`, `timeout` or `cancelled`; another word as it came.
        response_data: the answer as a bare value (`"Approve"`, not `{"selected_value": "Approve"}`).
        response_label: what the reviewer read, where it was given beside the value.
        decision: for a completed request only, and only where an explicit `decision` or one of the options Approve,
            Reject, Needs Changes and Escalate says so. A default that applied at a timeout is no decision (H11).
        responder: who answered, as far as the event says.
        result: a review's result; its `approved` is true for a person's approval only.
        event_id: the same at every delivery of one event, where the sender has one.
        raw: the whole payload as it came. Decide by the attributes, not by this.
    """

    event: str
    request_id: str | None
    loop_id: str | None
    status: str | None
    response_data: Any
    response_label: Any
    decision: DecisionWord | None
    responder: Responder | None
    responded_at: datetime | None
    review_id: str | None
    result: dict[str, Any] | None
    event_id: str | None
    timestamp: datetime | None
    raw: dict[str, Any] = field(repr=False)

    @property
    def type(self) -> str:
        """The same as `event`."""
        return self.event

    @property
    def data(self) -> dict[str, Any]:
        """The payload's own `data` (or the whole of a flat one), with what was read from it in place of what came."""
        inner = self.raw.get("data")
        given = cast("dict[str, Any]", inner) if isinstance(inner, dict) else self.raw
        known = ("request_id", "loop_id", "status", "response_data", "decision")
        return {**given, **{name: getattr(self, name) for name in known}}


def parse_event(body: bytes | str | Mapping[str, Any]) -> WebhookEvent:
    """What a webhook's body says. It proves nothing about the sender: see `verify_signature`.

    Args:
        body: the body as it came, or its parsed JSON.

    Raises: ContractBroken when it cannot be read or says two different things.
    """
    payload = Payload(body)
    event, status = payload.event_and_status()
    request_id, review_id = payload.only("request_id", "request.id"), payload.only("review.id")
    if request_id is None and review_id is None and event.startswith(("request.", "review.")):
        raise unreadable("it names no request")
    answer, label = payload.answer()
    decision = payload.decision(answer, label) if status == "completed" else None
    result = payload.only("review.result")
    if isinstance(result, dict) and "approved" in result:
        given = cast("dict[str, Any]", result)
        person = status == "completed" and payload.by_a_person_in_time()
        person = person and (decision == "approved" or (decision is None and not any(payload.explicit())))
        result = {**given, "approved": person and given["approved"] is True}
    return WebhookEvent(
        event=event,
        request_id=as_id(request_id if request_id is not None else review_id),
        loop_id=as_id(payload.only("loop_id", "loop.id", "request.loop_id")),
        status=status,
        response_data=answer,
        response_label=label,
        decision=decision,
        responder=payload.responder(),
        responded_at=payload.responded_at(),
        review_id=as_id(review_id),
        result=cast("dict[str, Any]", result) if isinstance(result, dict) else None,
        event_id=as_id(payload.top.get("event_id")),
        timestamp=as_time(payload.top.get("timestamp")),
        raw=payload.top,
    )
