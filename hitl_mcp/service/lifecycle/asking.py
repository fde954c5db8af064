"""What an agent does: create, change, cancel, collect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from hitl_mcp.contract.answers import ResponseType, check_answer, read_config
from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.models import DEFERRED_TIMEOUT, MAX_TIMEOUT, NewRequest, RequestChange, ReviewRequest
from hitl_mcp.contract.outcome import APPROVAL_CONFIG, APPROVAL_DEFAULT
from hitl_mcp.contract.states import OPEN, Kind, Priority
from hitl_mcp.contract.text import canonical
from hitl_mcp.errors import AnswerRejected, BadRequest
from hitl_mcp.service import media, rows
from hitl_mcp.service.actors import Agent
from hitl_mcp.service.clock import milliseconds
from hitl_mcp.service.lifecycle import asking_back, climbing
from hitl_mcp.service.lifecycle.deciding import expire
from hitl_mcp.service.lifecycle.guards import LIVE, NOT_HELD, STEP, UNCLAIMED
from hitl_mcp.service.lifecycle.handing import check_assignee
from hitl_mcp.service.lifecycle.holding import refuse_while_held
from hitl_mcp.service.lifecycle.record import check_room, note
from hitl_mcp.service.lifecycle.reminding import remind_at
from hitl_mcp.service.lifecycle.seen import view_digest
from hitl_mcp.service.media import FetchedImage
from hitl_mcp.service.notify.people import tell
from hitl_mcp.service.similar import in_common
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import requests

_SELECTS = (ResponseType.SINGLE_SELECT, ResponseType.MULTI_SELECT)
REVIEW = "review"
"""The dialect of a request that was born as a review."""
_insert = insert(requests)
_EMPTY: rows.Columns = dict.fromkeys(column.name for column in requests.c)
_hold = select(requests.c.id).where(requests.c.id == bindparam("request_id")).with_for_update()
"""Where units run side by side, what is read after it stays as it is until this one ends."""
_cancel = (
    update(requests)
    .where(*LIVE)
    .values(
        status="cancelled", cancelled_at=bindparam("now"), **UNCLAIMED, **STEP,
    )
    .returning(requests.c.seq)
)  # fmt: skip
_deliver = (
    update(requests)
    .where(
        requests.c.id == bindparam("request_id"),
        requests.c.first_delivered_at.is_(None),
        ~rows.IS_OPEN,
    )
    .values(first_delivered_at=bindparam("now"), seq=requests.c.seq + 1)
    .returning(requests.c.seq)
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what was fetched for it before the transaction.

    Attributes:
        images: fetched once, so that every reviewer sees the same bytes (H5).
        dialect: which generation of the API asked, when not the current one.
    """

    new: NewRequest
    images: Sequence[FetchedImage] = ()
    dialect: str | None = None


def create(
    tx: Tx, agent: Agent, loop_id: str, asked: Asked, *, reminding: bool = False, ladder: bool = False,
    told_anyhow: bool = False,
) -> ReviewRequest:  # fmt: skip
    """A new request, and the first entry of its log.

    Args:
        reminding: there is somebody who can be reminded before its deadline.
        ladder: the loop has a ladder.
        told_anyhow: somebody learns of it whatever channels there are.

    Raises: BadRequest for a configuration or default that is off.
    """
    request_id, new = new_id(), asked.new
    fields: dict[str, Any] = {
        "kind": new.kind.value,
        "type": new.type,
        "request_text": new.request_text,
        "response_type": new.response_type.value,
        "response_config": canonical(_config(new)),
        "default_response": canonical(_default(new)),
        "context": None if new.context is None else canonical(new.context),
        "media": _media(asked),
    }
    fields["view_digest"] = view_digest(loop_id, agent.api_key_id, agent.client, fields)
    fields["similar"] = in_common(loop_id, agent.api_key_id, fields)
    fields |= {
        "id": request_id,
        "loop_id": loop_id,
        "creator_id": agent.user_id,
        "api_key_id": agent.api_key_id,
        "status": "pending",
        "revision": 1,
        "seq": 1,
        "processing_type": new.processing_type,
        "priority": new.priority.value,
        "platform": new.platform,
        "platform_version": new.platform_version,
        "user_agent": agent.client,
        "callback_url": new.callback_url,
        "tags": None if new.tags is None else canonical(new.tags),
        "dialect": asked.dialect or (None if new.review is None else REVIEW),
        "due_at": None if new.due_at is None else milliseconds(new.due_at),
        "review": None if new.review is None else canonical(new.review.model_dump(mode="json")),
        "timeout_at": tx.now + 1000 * (new.timeout_seconds or DEFERRED_TIMEOUT),
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    fields["remind_at"] = remind_at(tx.now, fields["timeout_at"], new.priority) if reminding else None
    if ladder:
        fields |= climbing.started(tx, loop_id, fields, told_anyhow=told_anyhow)
    tx.connection.execute(_insert, fields)
    media.keep(tx, request_id, asked.images)
    note(tx, request_id, 1, "created", agent.actor, {"revision": 1, "view_digest": fields["view_digest"]})
    return rows.view(_EMPTY | fields, tx.now)


def _media(asked: Asked) -> str | None:
    given = asked.new.shown()
    if not given:
        return None
    images = [{"url": one.url, "digest": one.digest, "content_type": one.content_type} for one in asked.images]
    return canonical({"given": given, "images": images})


def _config(new: NewRequest) -> dict[str, Any]:
    if new.kind is Kind.APPROVAL:
        return APPROVAL_CONFIG
    try:
        read_config(new.response_type, new.response_config)
    except AnswerRejected as fault:
        words = f"{fault.field}: {fault.reason}"
        if new.response_type in _SELECTS and "options" not in new.response_config:
            words = "options array required for select response type"
        raise BadRequest("Invalid response configuration", words) from None
    return new.response_config


def _default(new: NewRequest) -> Any:
    if new.kind is Kind.APPROVAL:
        return APPROVAL_DEFAULT
    if new.default_response is None:
        return None
    try:
        return check_answer(
            read_config(new.response_type, new.response_config), new.default_response, "default_response"
        )
    except AnswerRejected as fault:
        words = f"{fault.field} {fault.reason}"
        if new.response_type in _SELECTS and fault.reason.startswith("must be one of"):
            words = "default_response must match one of the configured options"
        raise BadRequest("Invalid default response", words) from None


def change(tx: Tx, agent: Agent, request_id: str, wanted: RequestChange) -> ReviewRequest:
    """A new revision of an open request; releases a claim and records before and after (H4).

    Raises: BadRequest when it is closed or the change does not fit, NotFound, NotAllowed.
    """
    tx.connection.execute(_hold, {"request_id": request_id})
    before = rows.find_own(tx, agent, request_id)
    kept = rows.find(tx, request_id)
    refuse_while_held(kept)
    if before.status not in OPEN:
        raise BadRequest("Request cannot be updated in current state", before.status.value)
    check_room(tx, request_id)
    given = wanted.model_dump(mode="json", include=wanted.model_fields_set)
    if before.kind is Kind.APPROVAL and given.keys() & {"response_config", "default_response"}:
        raise BadRequest("Validation failed", "the options of an approval cannot be changed")
    if given.get("request_text", "") is None or given.get("priority", "") is None:
        raise BadRequest("Validation failed", "request_text and priority must not be null")
    answered: dict[str, Any] = {}
    config = given.get("response_config")
    if before.kind is not Kind.APPROVAL:
        answered = {
            "response_type": before.response_type,
            "response_config": before.response_config if config is None else config,
            "default_response": given.get("default_response", before.default_response),
        }
    # checked as a text of its own: what an older generation's request was born with may be longer (compatibility 2)
    merged = NewRequest(kind=before.kind, request_text=given.get("request_text", "unchanged"), **answered)
    fields: dict[str, Any] = {
        "kind": before.kind.value,
        "type": before.type,
        "request_text": given.get("request_text", before.request_text),
        "response_type": before.response_type.value,
        "response_config": canonical(_config(merged)),
        "default_response": canonical(_default(merged)),
        "context": _text_or_none(given.get("context", before.context)),
        "media": kept["media"],
        "asked_back": kept["asked_back"],
    }
    exchange: dict[str, Any] | None = None
    if (said := given.get("reviewer_answer")) is not None:
        exchange = asking_back.answered(tx, kept, said)
        fields["asked_back"] = canonical(exchange)
    fields["view_digest"] = view_digest(before.loop_id, before.api_key_id, before.user_agent, fields)
    fields["similar"] = in_common(before.loop_id, before.api_key_id, fields)
    if "assigned_to" in given:
        fields["assigned_to"] = given["assigned_to"]
        if fields["assigned_to"] is not None:
            check_assignee(tx, before.loop_id, fields["assigned_to"])
    if "callback_url" in given:
        fields["callback_url"] = given["callback_url"]
    if "tags" in given:
        fields["tags"] = _text_or_none(given["tags"])
    fields["priority"] = given.get("priority", before.priority.value)
    if "due_at" in given:
        fields["due_at"] = None if wanted.due_at is None else milliseconds(wanted.due_at)
    if "review" in given:
        fields["review"] = _text_or_none(given["review"])
    if (seconds := given.get("timeout_seconds")) is not None:
        if before.processing_type == "time-sensitive" and seconds > MAX_TIMEOUT:
            raise BadRequest("Validation failed", f"timeout_seconds must be at most {MAX_TIMEOUT}")
        fields["timeout_at"] = tx.now + 1000 * seconds
        fields["remind_at"] = remind_at(tx.now, fields["timeout_at"], Priority(fields["priority"]))
    if given.keys() & {"timeout_seconds", "priority"}:
        fields["escalate_at"] = climbing.rescheduled(tx, kept | fields)
    statement = (
        update(requests)
        .where(
            requests.c.id == request_id,
            requests.c.revision == before.revision,
            rows.IS_OPEN,
            NOT_HELD,
        )
        .values(
            **fields, revision=requests.c.revision + 1, seq=requests.c.seq + 1, status="pending", updated_at=tx.now,
            **UNCLAIMED,
        )
        .returning(requests.c.seq)
    )  # fmt: skip
    seq = tx.connection.execute(statement).scalar_one()
    after = rows.find_view(tx, request_id)
    parts = ("request_text", "priority", "context", "timeout_at", "response_config", "default_response", "callback_url",
             "tags", "due_at", "review", "assigned_to", "view_digest")  # fmt: skip
    old, new = (item.model_dump(mode="json", include=set(parts)) for item in (before, after))
    different = [name for name in parts if old[name] != new[name]]
    data = {
        "revision": after.revision,
        "before": {name: old[name] for name in different},
        "after": {name: new[name] for name in different},
    }
    if exchange is None:
        note(tx, request_id, seq, "changed", agent.actor, data)
    else:
        data |= {"question": exchange["question"], "answer": exchange["answer"]}
        note(tx, request_id, seq, "answered_back", agent.actor, data)
        tell(tx, request_id, before.loop_id, "answered_back", only={exchange["by"]})
    return after


def _text_or_none(value: Any) -> str | None:
    return None if value is None else canonical(value)


def cancel(tx: Tx, agent: Agent, request_id: str) -> tuple[ReviewRequest, str]:
    """Withdraw an open request; returns it with its former status. Raises: BadRequest, NotFound, NotAllowed."""
    tx.connection.execute(_hold, {"request_id": request_id})
    before = rows.find_own(tx, agent, request_id)
    seq = tx.connection.execute(_cancel, {"request_id": request_id, "now": tx.now}).scalar()
    if seq is None:
        refuse_while_held(rows.find(tx, request_id))
        raise BadRequest("Request cannot be cancelled in current state", before.status.value)
    note(tx, request_id, seq, "cancelled", agent.actor, {"previous_status": before.status.value})
    return rows.find_view(tx, request_id), before.status.value


def deliver(tx: Tx, agent: Agent, request_id: str) -> ReviewRequest:
    """Record that the agent has the result (H2). The first time counts; an open request is left as it is."""
    rows.find_own(tx, agent, request_id)
    expire(tx, request_id)  # an overdue request is shown as closed before anybody swept it
    seq = tx.connection.execute(_deliver, {"request_id": request_id, "now": tx.now}).scalar()
    if seq is not None:
        note(tx, request_id, seq, "delivered", agent.actor, {})
    return rows.find_view(tx, request_id)
