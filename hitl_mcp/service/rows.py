"""Reading requests: rows in, contract models out. Changes nothing."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row, Select, and_, bindparam, case, func, literal_column, or_, select

from hitl_mcp.contract.models import Broadcast, RequestFilter, Reviewer, ReviewerQuestion, ReviewRequest
from hitl_mcp.contract.outcome import decision_of
from hitl_mcp.contract.states import OPEN, Kind, Status
from hitl_mcp.errors import NotAllowed, NotFound
from hitl_mcp.service.actors import Agent, Person
from hitl_mcp.service.clock import maybe_moment, moment
from hitl_mcp.service.membership import IN_MY_LOOP, MAY_ANSWER, is_member
from hitl_mcp.service.notify import results
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import events, members, requests, users

OPEN_STATES = sorted(OPEN)
IS_OPEN = requests.c.status.in_([literal_column(f"'{state.value}'") for state in OPEN_STATES])
"""The condition for open, in literals: a list of parameters is expanded anew at every execution."""

_claimers = users.alias("claimers")
_answerers = users.alias("answerers")
_assignees = users.alias("assignees")
_view: Select[Any] = select(
    requests,
    _claimers.c.name.label("claimer_name"),
    _claimers.c.email.label("claimer_email"),
    _answerers.c.name.label("answerer_name"),
    _answerers.c.email.label("answerer_email"),
    _assignees.c.name.label("assignee_name"),
    _assignees.c.email.label("assignee_email"),
).select_from(
    requests.outerjoin(_claimers, _claimers.c.id == requests.c.claimed_by)
    .outerjoin(_answerers, _answerers.c.id == requests.c.response_by)
    .outerjoin(_assignees, _assignees.c.id == requests.c.assigned_to)
)
_by_id = _view.where(requests.c.id == bindparam("request_id"))


Columns = dict[str, Any]
"""A row's columns by name."""


def columns(row: Row[Any]) -> Columns:
    """The row's columns by name."""
    return dict(row._mapping)  # pyright: ignore[reportPrivateUsage]  # SQLAlchemy's documented way, underscored to avoid clashes


def find(tx: Tx, request_id: str) -> Columns:
    """The request's columns with the names of its people. Raises: NotFound."""
    row = tx.connection.execute(_by_id, {"request_id": request_id}).first()
    if row is None:
        raise NotFound("Request not found")
    return columns(row)


def by_ids(tx: Tx, ids: list[str]) -> dict[str, Columns]:
    """Several requests' columns by their ids."""
    found = tx.connection.execute(_view.where(requests.c.id.in_(ids))) if ids else ()
    return {row.id: columns(row) for row in found}


def is_open(row: Columns, now: int) -> bool:
    """Whether a request is open: an overdue one is closed before anybody swept it (H22), unless an answer to it, given
    in time, waits to become final (H28)."""
    return row["status"] in OPEN_STATES and (row["timeout_at"] > now or row["held_until"] is not None)


def view(row: Columns, now: int) -> ReviewRequest:
    """The request as the wire shows it. An overdue one is shown as timed out before anybody swept it (H22)."""
    status = Status(row["status"])
    if status.is_open and not is_open(row, now):
        status = Status.TIMEOUT
    claimed = status is Status.CLAIMED and row["claim_expires_at"] > now
    if status is Status.CLAIMED and not claimed:
        status = Status.PENDING
    kind = Kind(row["kind"])
    answer = None if row["response_data"] is None else json.loads(row["response_data"])
    fields = row | {
        "status": status,
        "response_config": json.loads(row["response_config"]),
        "default_response": json.loads(row["default_response"]),
        "context": None if row["context"] is None else json.loads(row["context"]),
        "timeout_at": moment(row["timeout_at"]),
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
        "claimed_by": row["claimed_by"] if claimed else None,
        "claimed_at": maybe_moment(row["claimed_at"]) if claimed else None,
        "cancelled_at": maybe_moment(row["cancelled_at"]),
        "response_at": maybe_moment(row["response_at"]),
        "first_delivered_at": maybe_moment(row["first_delivered_at"]),
        "response_data": answer,
        "decision": decision_of(kind, status, answer),
        "tags": None if row["tags"] is None else json.loads(row["tags"]),
        "broadcasted_at": moment(row["created_at"]),
        "media": None,
        "due_at": maybe_moment(row["due_at"]),
        "review": None if row["review"] is None else json.loads(row["review"]),
        "reviewer_question": _reviewer_question(row["asked_back"]),
        "escalation": None if row["escalation"] is None else json.loads(row["escalation"]),
    }
    if row["media"] is not None:
        kept = json.loads(row["media"])
        fields |= {"media": kept["given"], "images": kept["images"], "image_url": kept["given"].get("image_url")}
    if claimed:
        fields["claimed_by_user"] = Reviewer(id=row["claimed_by"], name=row["claimer_name"], email=row["claimer_email"])
    if row["assigned_to"] is not None:
        fields["assigned_to_user"] = Reviewer(
            id=row["assigned_to"], name=row["assignee_name"], email=row["assignee_email"]
        )
    if row["response_by"] is not None:
        fields["response_by_user"] = Reviewer(
            id=row["response_by"], name=row["answerer_name"], email=row["answerer_email"]
        )
        fields["response_time_seconds"] = (row["response_at"] - row["created_at"]) / 1000
    return ReviewRequest.model_validate(fields)


def _reviewer_question(asked_back: str | None) -> ReviewerQuestion | None:
    if asked_back is None:
        return None
    kept = json.loads(asked_back)
    return ReviewerQuestion(
        question=kept["question"], asked_by=kept["name"], asked_at=moment(kept["at"]), answer=kept.get("answer"),
        answered_at=maybe_moment(kept.get("answered_at")),
    )  # fmt: skip


def find_view(tx: Tx, request_id: str) -> ReviewRequest:
    """One request as the wire shows it. Raises: NotFound."""
    return view(find(tx, request_id), tx.now)


def find_own(tx: Tx, agent: Agent, request_id: str) -> ReviewRequest:
    """One request made with this key. Raises: NotFound, NotAllowed.

    A page's token is told neither the names of people nor where the request climbed: it has what was asked in the loops
    that it reaches, wherever that is now, and nothing that came there from elsewhere.
    """
    row = find(tx, request_id)
    if row["api_key_id"] != agent.api_key_id:
        raise NotAllowed("Access denied to this request")
    if not agent.by_token:
        return view(row, tx.now)
    asked_in = row["loop_id"] if row["escalation"] is None else json.loads(row["escalation"])["visited"][0]
    if not agent.reaches(asked_in):
        raise NotAllowed("Access denied to this request")
    return _of_nobody(view(row | {"loop_id": asked_in}, tx.now))


_NAMES = ("response_by_user", "claimed_by_user", "assigned_to", "assigned_to_user", "escalation")


def _of_nobody(request: ReviewRequest) -> ReviewRequest:
    asked = request.reviewer_question
    unnamed = None if asked is None else asked.model_copy(update={"asked_by": ""})
    return request.model_copy(update=dict.fromkeys(_NAMES) | {"reviewer_question": unnamed})


def find_readable(tx: Tx, agent: Agent, request_id: str) -> ReviewRequest:
    """One request that this key may read: its own, or one of a loop that its person belongs to (contract section 1.2).

    Raises: NotFound, NotAllowed.
    """
    if agent.by_token:
        return find_own(tx, agent, request_id)
    row = find(tx, request_id)
    if row["api_key_id"] != agent.api_key_id:
        loop_id = row["loop_id"]
        if not agent.reaches(loop_id) or not is_member(tx, loop_id, agent.user_id):
            raise NotAllowed("Access denied to this request")
    return view(row, tx.now)


def columns_for(tx: Tx, person: Person, request_id: str) -> Columns:
    """A request's columns, if it is of a loop that this person belongs to. Raises: NotFound."""
    row = find(tx, request_id)
    if not is_member(tx, row["loop_id"], person.user_id):
        raise NotFound("Request not found")
    return row


def find_for(tx: Tx, person: Person, request_id: str) -> ReviewRequest:
    """One request of a loop that this person belongs to. Raises: NotFound."""
    return view(columns_for(tx, person, request_id), tx.now)


def broadcast(tx: Tx, agent: Agent, request: ReviewRequest) -> list[Broadcast]:
    """The members whom a request reached: those who answered for the loop when it was asked.

    Where it climbed to is another loop, whose people the key that asked need not know; whoever reads it there knows no
    others.
    """
    climbed = request.escalation.steps if request.escalation is not None else []
    asked_in = climbed[0].from_loop if climbed and request.api_key_id == agent.api_key_id else request.loop_id
    query = (
        select(members.c.user_id, users.c.email)
        .join(users, users.c.id == members.c.user_id)
        .where(
            members.c.loop_id == asked_in,
            members.c.status == "active",
            MAY_ANSWER,
            members.c.joined_at <= int(request.created_at.timestamp() * 1000),
        )
        .order_by(members.c.joined_at, members.c.user_id)
    )
    came = results.of_request(tx, request.id)
    return [
        Broadcast(user_id=row.user_id, email=row.email, notification_sent=sent, notification_error=fault)
        for row in tx.connection.execute(query)
        for sent, fault in [came.get(row.user_id, (False, None))]
    ]


MOST_LISTED = 4 * 1_048_576
"""Characters that the requests of one page may have together; each alone may have a million."""
_LONG = ("context", "response_config", "response_data", "media", "review")
PRIORITY_RANK = case({"critical": 0, "high": 1, "medium": 2, "low": 3}, value=requests.c.priority, else_=4)
_SORTS: dict[str, tuple[Any, ...]] = {
    "created_at_desc": (requests.c.created_at.desc(), requests.c.id),
    "created_at_asc": (requests.c.created_at, requests.c.id),
    "priority_desc": (PRIORITY_RANK, requests.c.created_at.desc(), requests.c.id),
    "status_asc": (requests.c.status, requests.c.created_at.desc(), requests.c.id),
}


def _has_status(status: Status, now: int) -> Any:
    """The condition for a status as `view` shows it: overdue counts as timeout, an abandoned claim as pending."""
    state, live = requests.c.status, or_(requests.c.timeout_at > now, requests.c.held_until.is_not(None))
    claim_lives = requests.c.claim_expires_at > now
    match status:
        case Status.PENDING:
            return and_(live, or_(state == "pending", and_(state == "claimed", ~claim_lives)))
        case Status.CLAIMED:
            return and_(live, state == "claimed", claim_lives)
        case Status.TIMEOUT:
            return or_(state == "timeout", and_(IS_OPEN, ~live))
        case _:
            return state == status.value


def listed(tx: Tx, wanted: RequestFilter, agent: Agent | None = None) -> tuple[list[ReviewRequest], int]:
    """The requests that match, one page of them, and how many match in all. A page of long ones ends earlier.

    Args:
        agent: only those made with this key; None for everybody's.
    """
    query = _view
    if agent is not None:
        query = query.where(requests.c.api_key_id == agent.api_key_id)
    if wanted.created_before is not None:
        query = query.where(requests.c.created_at < int(wanted.created_before.timestamp() * 1000))
    if wanted.status is not None:
        query = query.where(_has_status(wanted.status, tx.now))
    if wanted.priority is not None:
        query = query.where(requests.c.priority == wanted.priority.value)
    if wanted.loop_id is not None:
        query = query.where(requests.c.loop_id == wanted.loop_id)
    total = tx.connection.execute(select(func.count()).select_from(query.with_only_columns(requests.c.id).subquery()))
    page = query.order_by(*_SORTS[wanted.sort]).limit(wanted.limit).offset(wanted.offset)
    found: list[ReviewRequest] = []
    length = 0
    for row in tx.connection.execute(page):
        length += sum(len(getattr(row, name) or "") for name in _LONG)
        if found and length > MOST_LISTED:  # the reply says where to read on
            break
        found.append(view(columns(row), tx.now))
    return found, total.scalar_one()


_is_open = and_(IS_OPEN, requests.c.timeout_at > bindparam("now"))
_waits = and_(_is_open, requests.c.held_until.is_(None))
"""An answer that can still be taken back is one (H28)."""
_open_count = select(func.count()).select_from(requests).where(_is_open)
SOME_OPEN = select(func.count()).select_from(select(requests.c.id).where(_is_open).limit(bindparam("most")).subquery())
"""How many requests wait for a person, counted up to `most`; it takes `now`."""
_open_of = select(func.count()).select_from(requests).where(_waits, IN_MY_LOOP)
_open_first = _view.where(_is_open, IN_MY_LOOP).order_by(PRIORITY_RANK, requests.c.timeout_at, requests.c.id)
_recent = (
    _view.where(~_is_open, IN_MY_LOOP).order_by(requests.c.updated_at.desc(), requests.c.id).limit(bindparam("limit"))
)


def open_count(tx: Tx) -> int:
    """How many requests wait for a person."""
    return tx.connection.execute(_open_count, {"now": tx.now}).scalar_one()


def some_open(tx: Tx, most: int) -> int:
    """How many requests wait for a person, counted up to `most`."""
    return tx.connection.execute(SOME_OPEN, {"now": tx.now, "most": most}).scalar_one()


def open_count_for(tx: Tx, person: Person) -> int:
    """How many requests wait in the loops of this person."""
    return tx.connection.execute(_open_of, {"now": tx.now, "user_id": person.user_id}).scalar_one()


_open_in_each = select(requests.c.loop_id, func.count()).where(_waits).group_by(requests.c.loop_id)


def open_count_of_each(tx: Tx) -> dict[str, int]:
    """How many requests wait in each loop; a loop where none does is not there."""
    return {str(loop_id): int(many) for loop_id, many in tx.connection.execute(_open_in_each, {"now": tx.now})}


def open_requests(tx: Tx, person: Person, limit: int) -> list[ReviewRequest]:
    """What waits in the loops of this person, the most urgent first."""
    found = tx.connection.execute(_open_first.limit(limit), {"now": tx.now, "user_id": person.user_id})
    return [view(columns(row), tx.now) for row in found]


def recently_closed(tx: Tx, person: Person, limit: int) -> list[ReviewRequest]:
    """What was closed last in the loops of this person, newest first."""
    values = {"now": tx.now, "user_id": person.user_id, "limit": limit}
    return [view(columns(row), tx.now) for row in tx.connection.execute(_recent, values)]


_history = select(events).where(events.c.request_id == bindparam("request_id")).order_by(events.c.seq)


def history(tx: Tx, request_id: str) -> list[dict[str, Any]]:
    """The request's entries in the event log, oldest first, with what their hashes are taken over."""
    return [
        {
            "position": row.position,
            "seq": row.seq,
            "type": row.type,
            "actor": row.actor,
            "at": row.at,
            "data": json.loads(row.data),
            "data_text": row.data,
            "data_hash": row.data_hash,
            "previous_hash": row.previous_hash,
            "hash": row.hash,
        }
        for row in tx.connection.execute(_history, {"request_id": request_id})
    ]
