"""Asking on the cloud: what its contract demands, and what happens when no answer comes (D12, H33).

A create whose outcome is not known is never simply repeated. Its marker is looked for 30 seconds after it was sent at
the earliest; found, it is adopted; else the question is asked once more with the same marker, and from then on its twin
is watched for.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn, cast

import anyio

from hitl_mcp.contract import routes
from hitl_mcp.contract.answers import ResponseType, check_answer, read_config
from hitl_mcp.contract.models import DEFERRED_TIMEOUT, Created, NewRequest, ReviewRequest
from hitl_mcp.contract.states import Kind
from hitl_mcp.errors import AnswerRejected, BadRequest, ContractBroken, HITLError, Unreachable
from hitl_mcp.sdk.calls import Call
from hitl_mcp.sdk.cloud.approvals import REF, SENT_DEFAULT, SENT_OPTIONS, marker_of, new_marker
from hitl_mcp.sdk.cloud.listing import PAGE
from hitl_mcp.sdk.cloud.metered import Metered, Told, is_ambiguous, page_call, request_call
from hitl_mcp.sdk.cloud.once import Entry, Once
from hitl_mcp.sdk.cloud.operations import supported
from hitl_mcp.sdk.cloud.reading import items_of, read_request, request_part, time_of
from hitl_mcp.sdk.cloud.share import Tx
from hitl_mcp.sdk.cloud.store import Unusable
from hitl_mcp.sdk.cloud.twins import SKEW_SECONDS, Twins

log = logging.getLogger(__name__)

LOOK_AFTER_SECONDS = 30.0
"""A create that was cut off may take effect late (H33)."""
_PAGES = 3
_READ_SINGLY = 5
_NOT_THE_CLOUDS = {"kind", "due_at", "review"}


class Asking:
    """Creates of one process.

    Args:
        metered: the way to the cloud.
    """

    def __init__(self, metered: Metered) -> None:
        self._metered = metered
        self._once = Once(metered.clock)

    async def create(self, loop_id: str, new: NewRequest, once_key: str | None) -> Created:
        """Ask, or find what the same key and question asked before.

        Raises: BadRequest with the field, NotSupported, Conflict, TooManyRequests with the time it comes back,
            Unreachable where it is not known whether the question was asked; and the Refused tree.
        """
        check(new)
        if once_key is None:
            return await self._ask(loop_id, new, Entry(""))
        entry = self._once.entry(once_key, loop_id, new)
        async with entry.turn:
            if entry.request_id is not None:
                earlier = await self._earlier(entry.request_id)
                if earlier is not None:
                    return earlier
                entry.request_id = entry.marker = None
            created = await self._ask(loop_id, new, entry)
            entry.request_id = created.request_id
            return created

    async def _earlier(self, request_id: str) -> Created | None:
        seen = await self._metered.transaction(lambda tx: tx.seen(request_id))
        at = await self._metered.transaction(lambda tx: tx.delivered(request_id))
        if seen is None or seen.request is None or not self._once.still_stands(seen.request, at):
            return None
        return _created(seen.request, {}, joined=True, repeat=at is not None and not seen.request.status.is_open)

    async def _ask(self, loop_id: str, new: NewRequest, entry: Entry) -> Created:
        body = body_of(new, entry.marker or new_marker(new.kind))
        marker = cast("str", marker_of(body["context"]))
        call: Call[Any] = Call(
            "create_request", "POST", routes.LOOP_REQUESTS.format(loop_id=loop_id), lambda data: data, body=body,
            repeatable=False,
        )  # fmt: skip
        doubtful = entry.marker is not None
        if doubtful and (found := await self._find(marker, body, entry.sent)):
            return await self._adopted(new, marker, found, entry.sent, twin=True)
        entry.marker = marker
        for _ in range(2):
            sent = self._metered.clock()
            entry.sent = entry.sent or sent
            try:
                return await self._made(loop_id, new, body, await self._post(call), entry.sent, twin=doubtful)
            except HITLError as error:
                if not is_ambiguous(error):
                    if not doubtful:
                        entry.marker, entry.sent = None, 0.0
                    raise
            await anyio.sleep(max(0.0, sent + LOOK_AFTER_SECONDS - self._metered.clock()))
            found = await self._find(marker, body, entry.sent)
            if found is not None:
                return await self._adopted(new, marker, found, entry.sent, twin=doubtful)
            doubtful = True
        _unknown(None)

    async def _post(self, call: Call[Any]) -> Told:
        try:
            told = await self._metered.call(call, "create")
        except BadRequest as refused:
            if call.body["response_type"] == ResponseType.BOOLEAN.value:
                raise BadRequest(
                    f"{refused.message}. The HITL.sh cloud may not take boolean questions: ask a single_select with "
                    "two options instead",
                    refused.details,
                    status=refused.status,
                ) from None
            raise
        data: object = told.data
        if not isinstance(data, dict) or not isinstance(_id(cast("dict[str, Any]", data)), str):
            raise ContractBroken("The HITL.sh cloud took the question, but its reply names no request")
        return told

    async def _made(
        self, loop_id: str, new: NewRequest, body: Mapping[str, Any], told: Told, first: float, *, twin: bool
    ) -> Created:
        reply: dict[str, Any] = told.data
        inner = reply.get("request")
        reply = {**reply, **cast("dict[str, Any]", inner)} if isinstance(inner, dict) else reply
        created = reply.get("created_at") or datetime.fromtimestamp(told.sent, UTC)
        ends = told.sent + float(new.timeout_seconds or DEFERRED_TIMEOUT)
        item = {
            **body, "loop_id": loop_id, "created_at": created, "timeout_at": datetime.fromtimestamp(ends, UTC), **{
                name: value for name, value in reply.items() if value is not None
            }, "id": _id(reply), "response_config": body["response_config"], "context": body["context"],
        }  # fmt: skip
        item.setdefault("status", "pending")
        request = _as_asked(read_request(item), new)
        await self._remember(request, told.sent, body["context"][REF], first, twin=twin)
        return _created(request, reply)

    async def _adopted(
        self, new: NewRequest, marker: str, item: dict[str, Any], first: float, *, twin: bool
    ) -> Created:
        request = _as_asked(read_request(item), new)
        await self._remember(request, self._metered.clock(), marker, first, twin=twin)
        return _created(request, item)

    async def _remember(self, request: ReviewRequest, sent: float, marker: str, first: float, *, twin: bool) -> None:
        def work(tx: Tx) -> None:
            if twin:
                Twins.begin(tx, marker, request.id, first)
            Twins.settle(tx, request, sent)

        try:
            await self._metered.transaction(work)
        except Unusable as fault:  # it was asked, and must not be asked again because of this
            log.warning("What was asked is not remembered: %s", fault)

    async def _find(self, marker: str, body: Mapping[str, Any], sent: float) -> dict[str, Any] | None:
        """The oldest request with this marker, among the newest. Raises: Unreachable when that cannot be found out."""
        found: list[dict[str, Any]] = []
        try:
            for page in range(_PAGES):
                items = items_of((await self._metered.call(page_call(newest=True, offset=page * PAGE))).data)
                young = [one for one in items if (time_of(one) or sent) >= sent - SKEW_SECONDS]
                found += [one for one in young if marker_of(one.get("context")) == marker]
                silent = [one for one in young if "context" not in one and _may_be(one, body)]
                for one in silent[:_READ_SINGLY]:
                    whole = request_part((await self._metered.call(request_call(one["id"]))).data, one["id"])
                    found += [whole] if marker_of(whole.get("context")) == marker else []
                if found or len(young) < len(items) or len(items) < PAGE:
                    break
        except HITLError as fault:
            _unknown(fault)
        return min(found, key=lambda one: (time_of(one) or sent, one["id"])) if found else None


def check(new: NewRequest) -> None:
    """Refuse what the cloud cannot do, before anything is sent.

    Raises: BadRequest with the field at fault, NotSupported.
    """
    if new.response_type.value == "form":
        supported("form")
    for name in ("due_at", "review"):
        if getattr(new, name, None) is not None:
            supported(name)
    if REF in (new.context or {}):
        _refuse(f"context.{REF}", "this name is used by hitl_mcp itself; choose another")
    if new.kind is Kind.APPROVAL:
        return
    if new.default_response is None:
        _refuse(
            "default_response",
            "the HITL.sh cloud needs one for every question; give the safest answer, it applies when nobody answers",
        )
    try:
        check_answer(read_config(new.response_type, new.response_config), new.default_response, "default_response")
    except AnswerRejected as fault:
        _refuse(fault.field, fault.reason)


def body_of(new: NewRequest, marker: str) -> dict[str, Any]:
    """What is sent: every field that the cloud requires, said outright (contract 2.4), and the marker."""
    body = new.model_dump(mode="json", exclude_none=True, exclude=_NOT_THE_CLOUDS)
    if new.kind is Kind.APPROVAL:
        body |= {
            "response_type": ResponseType.SINGLE_SELECT.value, "response_config": {"options": list(SENT_OPTIONS)},
            "default_response": SENT_DEFAULT,
        }  # fmt: skip
    body["context"] = {**(new.context or {}), REF: marker}
    return body


def _as_asked(request: ReviewRequest, new: NewRequest) -> ReviewRequest:
    if new.kind is Kind.APPROVAL:
        return request
    return request.model_copy(update={"response_config": dict(new.response_config)})


def _created(request: ReviewRequest, told: Mapping[str, Any], *, joined: bool = False, repeat: bool = False) -> Created:
    to = told.get("broadcasted_to")
    people = cast("list[Any]", to) if isinstance(to, list) else []
    reached = sum(1 for one in people if isinstance(one, dict) and cast("dict[str, Any]", one).get("notification_sent"))
    number = to if isinstance(to, int) else len(people)
    sent = told.get("notifications_sent", reached)
    sent = sent if isinstance(sent, int) else 0
    unheard = bool(told) and to is not None and not sent
    return Created(
        request_id=request.id, status=request.status, processing_type=request.processing_type, type=request.type,
        priority=request.priority, timeout_at=request.timeout_at, broadcasted_to=number, notifications_sent=sent,
        polling_url=routes.REQUEST.format(request_id=request.id), joined=joined, repeat=repeat, request=request,
        notes=["No reviewer's phone was reached; they find it when they open the HITL.sh app."] if unheard else [],
    )  # fmt: skip


def _id(reply: Mapping[str, Any]) -> object:
    inner = reply.get("request")
    within = cast("dict[str, Any]", inner).get("id") if isinstance(inner, dict) else None
    return reply.get("request_id") or reply.get("id") or within


def _may_be(item: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    return item.get("request_text", body["request_text"]) == body["request_text"]


def _refuse(field: str, issue: str) -> NoReturn:
    raise BadRequest("Validation failed", {"field": field, "issue": issue})


def _unknown(fault: HITLError | None) -> NoReturn:
    why = f"and looking for it failed ({fault})" if fault else "and it was not found since; it may still appear"
    raise Unreachable(
        "The connection to the HITL.sh cloud broke while asking, so it is not known whether the question was asked, "
        f"{why}. It is NOT approved. Look for its text with list_requests or in the HITL.sh app before you ask again."
    ) from fault
