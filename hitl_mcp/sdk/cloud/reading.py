"""From the cloud's odd but real answers to the contract's shapes (contract sections 1.3, 2.2 to 2.5, 3).

Whatever is decided here fails closed. A request whose answer does not fit what was asked keeps that answer as it came,
but loses the person who gave it: `outcome_of` then calls it unreadable, which is never an approval (H11).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from pydantic import ValidationError

from hitl_mcp.contract.answers import ResponseType
from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.outcome import APPROVAL_CONFIG, APPROVAL_DEFAULT, decision_of
from hitl_mcp.contract.states import Kind, Status
from hitl_mcp.errors import ContractBroken
from hitl_mcp.sdk.cloud.answers import Unreadable, as_sent, default_of, read_answer
from hitl_mcp.sdk.cloud.approvals import is_approval, marker_of, without_marker

_EPOCH = datetime.fromtimestamp(0, UTC)
_TEXT_DEFAULTS = {
    "loop_id": "", "creator_id": "", "api_key_id": "", "processing_type": "deferred", "type": "markdown",
    "priority": "medium", "request_text": "", "platform": "api",
}  # fmt: skip
_OURS = ("kind", "revision", "decided_revision", "decision", "view_digest", "claimed_by_user", "response_comment",
         "response_channel", "response_assurance", "first_delivered_at", "images", "dialect")  # fmt: skip
"""Our own additions: the cloud does not know them, so nothing is believed that comes under these names."""


def request_part(data: object, wanted: str) -> dict[str, Any]:
    """The request in the data of one: under `request`, or flat, or both (contract 2.5).

    Args:
        wanted: its id; the answer to another question is none to this one (H4).

    Raises: ContractBroken.
    """
    if isinstance(data, dict):
        whole = cast("dict[str, Any]", data)
        inner = whole.get("request")
        found = {**whole, **cast("dict[str, Any]", inner)} if isinstance(inner, dict) else whole
        found.pop("request", None)
        name = found.get("id", found.get("request_id"))
        if isinstance(name, str) and "status" in found:
            if name.casefold() != wanted.casefold():
                raise _broken("it is another request than was asked for")
            return found
    raise _broken("it holds no request")


def items_of(data: object) -> list[dict[str, Any]]:
    """The requests of a list, in its order; what is no request is left out. Raises: ContractBroken."""
    found = cast("dict[str, Any]", data).get("requests") if isinstance(data, dict) else None
    if found is None and isinstance(data, dict) and "requests" in data:
        return []  # an empty list, as some servers write it
    if not isinstance(found, list):
        raise _broken("it holds no list of requests")
    items = [cast("dict[str, Any]", one) for one in cast("list[Any]", found) if isinstance(one, dict)]
    return [one for one in items if isinstance(one.get("id"), str)]


def time_of(item: Mapping[str, Any]) -> float | None:
    """When a list's item was created, seconds since 1970."""
    try:
        moment = datetime.fromisoformat(str(item.get("created_at")))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def total_of(data: object) -> int | None:
    """How many requests there are in all, where a list says so."""
    total = cast("dict[str, Any]", data).get("total") if isinstance(data, dict) else None
    return total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None


def says_enough(item: Mapping[str, Any]) -> bool:
    """Whether a list's item needs no look of its own: it is open, or it carries what was answered and by whom."""
    try:
        status = Status(item.get("status"))
    except ValueError:
        return False
    if status is not Status.COMPLETED:
        return True
    return all(item.get(name) is not None for name in ("response_data", "response_by", "response_at", "context"))


def read_request(item: Mapping[str, Any], known: ReviewRequest | None = None) -> ReviewRequest:
    """A request as the contract has it.

    Args:
        item: what the cloud said.
        known: the same request as it was before; fills in what the cloud left out.

    Raises: ContractBroken.
    """
    fields = {name: value for name, value in item.items() if value is not None and name not in _OURS}
    fields.setdefault("id", item.get("request_id"))
    status = _status(fields)
    base = known.model_dump() if known is not None and known.id == fields["id"] else {}
    stays = {name: value for name, value in base.items() if not name.startswith(_STATE) or name in _ASKED}
    merged = {**_TEXT_DEFAULTS, **stays, **fields, "status": status}
    merged |= _times(merged) | _people(fields)
    marker = marker_of(fields.get("context"))
    sent = base.get("response_config") if base.get("kind") is Kind.QUESTION else None
    merged |= _meaning(merged, fields, marker, sent, was_approval=base.get("kind") is Kind.APPROVAL)
    merged["context"] = without_marker(fields["context"]) if "context" in fields else base.get("context")
    for name in ("broadcasted_to", "assignee_role"):
        merged.pop(name, None)
    try:
        return ReviewRequest.model_validate(merged)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"])
        raise _broken(f"{where} is missing or wrong") from None


_ASKED = ("response_type", "response_config")
_STATE = ("response_", "claimed_")
"""What was so before need not be so now."""


def _meaning(
    merged: Mapping[str, Any], fields: Mapping[str, Any], marker: str | None, sent: object, *, was_approval: bool
) -> dict[str, Any]:
    """Kind, configuration, and the answer with what it decides."""
    echoed, response_type = fields.get("response_config"), merged.get("response_type")
    approval = is_approval(marker, fields.get("response_type"), echoed)
    if was_approval and not approval and "response_config" not in fields and "context" not in fields:
        approval = merged["status"] is not Status.COMPLETED  # an item that says little; an answer needs all of it
    kind = Kind.APPROVAL if approval or was_approval else Kind.QUESTION
    config: dict[str, Any]
    if approval:
        config, default = APPROVAL_CONFIG, APPROVAL_DEFAULT
    else:
        config = as_sent(sent, echoed if echoed is not None else merged.get("response_config"))
        default = default_of(_type(response_type), config, merged.get("default_response"))
    meaning: dict[str, Any] = {
        "kind": kind, "revision": 1, "response_config": config, "default_response": default, "response_data": None,
        "decided_revision": None, "decision": None,
    }  # fmt: skip
    if merged["status"] is not Status.COMPLETED:
        return meaning  # H11: an answer stands there after a timeout too; it is none
    raw = fields.get("response_data")
    try:
        if raw is None or (kind is Kind.APPROVAL and not approval):
            raise Unreadable
        answer = read_answer(_type(response_type), config, raw)
    except Unreadable:
        return meaning | {"response_data": raw, "response_by": None}
    return meaning | {
        "response_data": answer, "decided_revision": 1, "decision": decision_of(kind, Status.COMPLETED, answer),
    }  # fmt: skip


def _type(name: object) -> ResponseType:
    try:
        return ResponseType(cast("str", name))
    except ValueError:
        raise _broken(f"the response type {str(name)[:40]!r} is not known") from None


def _status(fields: Mapping[str, Any]) -> Status:
    try:
        return Status(fields.get("status"))
    except ValueError:
        raise _broken(f"the status {str(fields.get('status'))[:40]!r} is not known") from None


def _times(merged: Mapping[str, Any]) -> dict[str, Any]:
    created = merged.get("created_at") or merged.get("broadcasted_at")
    return {"created_at": created, "updated_at": merged.get("updated_at") or created or _EPOCH}


def _people(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Who answered, from either spelling (contract 5.1): `response_by` an id, an address or an object."""
    by, user = fields.get("response_by"), fields.get("response_by_user")
    told: dict[str, Any] = {}
    for one in (by, user):
        if isinstance(one, dict):
            told = {**told, **{name: value for name, value in cast("dict[str, Any]", one).items() if value}}
    name = told.get("user_id") or told.get("id") or (by if isinstance(by, str) else None) or told.get("email")
    if not isinstance(name, str) or not name.strip():
        return {"response_by": None, "response_by_user": None}
    shown = str(told.get("name") or told.get("email") or name)
    email = told.get("email")
    person = {"id": name, "name": shown, "email": email if isinstance(email, str) else None} if told else None
    return {"response_by": name, "response_by_user": person}


def _broken(why: str) -> ContractBroken:
    return ContractBroken(
        f"The HITL.sh cloud's answer could not be read: {why}. It was not taken for a decision. Look at the request in "
        "the HITL.sh app; if this goes on, update hitl-mcp."
    )
