"""What an agent's key can do with requests: ask, read, change, withdraw, rate, wait (contract sections 2.4 to 2.7).

Where sources contradict: `data.request` holds the object and the fields that published pollers read stand beside it,
`status` there as `timed_out` (compatibility section 1); claimed requests can be cancelled; fields that the contract
requires but always fills the same way have defaults.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Discriminator, ValidationError

from hitl_mcp.contract import routes
from hitl_mcp.contract.first_generation import DIALECT, first_answer
from hitl_mcp.contract.ids import is_id
from hitl_mcp.contract.models import (
    Broadcast,
    LoopRequestFilter,
    NewAnswer,
    RequestChange,
    RequestFilter,
    ReviewRequest,
)
from hitl_mcp.contract.states import Status
from hitl_mcp.contract.teams import NewFeedback
from hitl_mcp.errors import BadRequest, NotAllowed
from hitl_mcp.service import loops, rows
from hitl_mcp.service.actors import Agent
from hitl_mcp.service.api.parameters import LoopId, LoopRef, RequestId
from hitl_mcp.service.context import Services
from hitl_mcp.service.first_generation.body import FirstRequest, TaggedCurrent, TaggedFirst, generation_of
from hitl_mcp.service.first_generation.body import asked as first_generation
from hitl_mcp.service.lifecycle.asking import Asked
from hitl_mcp.service.outgoing.images import Image, fetch_images
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.web.auth import Asker, PageAsker, PageReader, RequestReader, ServicesHere
from hitl_mcp.service.web.envelope import reply
from hitl_mcp.service.web.limits import give_back

router = APIRouter(tags=["requests"])

WAIT_DEFAULT, WAIT_MAX = 60.0, 300.0
"""Seconds; the shape of the cloud preview's long poll (contract section 2.8)."""


def shown(request: ReviewRequest) -> ReviewRequest | dict[str, Any]:
    """The request with its media fields under their own names."""
    if request.media is None:
        return request
    return request.model_dump(mode="json", exclude={"media"}) | request.media


def whole(request: ReviewRequest, reached: list[Broadcast] | None = None) -> dict[str, Any]:
    """A request under `data.request`, with the flat copies that published pollers read (compatibility section 1).

    Args:
        reached: the members it went to; a list here, a count in the create reply.
    """
    item = shown(request)
    if reached is not None:
        fields = item if isinstance(item, dict) else item.model_dump(mode="json")
        item = fields | {"broadcasted_to": [one.model_dump() for one in reached]}
    flat_status = "timed_out" if request.status is Status.TIMEOUT else request.status.value
    return {
        "request": item,
        "status": flat_status,
        "response_data": request.response_data,
        "default_response": request.default_response,
    }


Body = Annotated[TaggedCurrent | TaggedFirst, Discriminator(generation_of)]


@router.post(routes.LOOP_REQUESTS, status_code=201)
async def create_request(
    loop_id: LoopRef,
    body: Body,
    agent: PageAsker,
    services: ServicesHere,
    once_key: Annotated[str | None, Header(alias=routes.IDEMPOTENCY_KEY, min_length=1, max_length=200)] = None,
) -> Response:
    """Ask a person. With an `Idempotency-Key` the same question is asked once (H1, H2).

    Bodies of the first generation (`content`) are taken as well; their loop may be a name, a slug or an alias.
    """
    if agent.by_token and body.callback_url is not None:
        raise NotAllowed("A short-lived token cannot send events to an address. Ask on your server, with the API key")
    if isinstance(body, FirstRequest):
        where = await services.store.read(lambda tx: loops.resolve(tx, agent, loop_id, services.loop_aliases))
        asked = _of_first(body)
    else:
        if not is_id(loop_id):
            raise BadRequest("Invalid loop ID format", "24 characters 0-9 and a-f; GET /v1/api/loops lists them")
        where = loop_id.lower()
        asked = Asked(body, await _fetched(services, body.images)) if body.images else Asked(body)
    created = await services.lifecycle.create(agent, where, asked, once_key)
    beside = first_answer(created.request).model_dump() if asked.dialect == DIALECT else None
    data = created.model_dump(mode="json") | {"request": shown(created.request)} if asked.new.shown() else created
    if created.joined:
        return reply("The same question was already asked", data, beside=beside)
    return reply("Request created and broadcasted successfully", data, status=201, beside=beside)


def _of_first(body: FirstRequest) -> Asked:
    try:
        return first_generation(body)
    except ValidationError as error:  # what was filled in does not fit what was given
        raise RequestValidationError([fault | {"loc": ("body", *fault["loc"])} for fault in error.errors()]) from None


async def _fetched(services: Services, urls: list[str]) -> list[Image]:
    """The images, as they are now (H5); few creates at a time, because they are large."""
    async with services.fetching:
        return await fetch_images(services.outgoing, urls)


@router.get(routes.LOOP_REQUESTS)
async def list_loop_requests(
    loop_id: LoopId, wanted: Annotated[LoopRequestFilter, Query()], agent: RequestReader, services: ServicesHere
) -> Response:
    """The requests of a loop that this key reaches, whichever key made them."""

    def read(tx: Tx) -> tuple[list[ReviewRequest], int]:
        loops.find_visible(tx, agent, loop_id)
        return rows.listed(tx, RequestFilter(**wanted.model_dump(), loop_id=loop_id))

    found, total = await services.store.scan(read)
    return reply("Loop requests retrieved successfully", {"loop_id": loop_id, **_page(wanted, found, total)})


@router.get(routes.REQUESTS)
async def list_requests(
    wanted: Annotated[RequestFilter, Query()], agent: RequestReader, services: ServicesHere
) -> Response:
    """This key's requests, filtered and paged."""
    found, total = await services.store.scan(lambda tx: rows.listed(tx, wanted, agent))
    return reply("Requests retrieved successfully", _page(wanted, found, total))


def _page(wanted: LoopRequestFilter, found: list[ReviewRequest], total: int) -> dict[str, Any]:
    end = wanted.offset + len(found)
    return {
        "requests": [shown(request) for request in found],
        "count": len(found),
        "total": total,
        "has_more": end < total,
        "pagination": {"limit": wanted.limit, "offset": wanted.offset, "next_offset": end if end < total else None},
    }


@router.get(routes.REQUEST)
async def get_request(request_id: RequestId, agent: PageReader, services: ServicesHere) -> Response:
    """One request as it stands: of this key, or of a loop that its person belongs to."""

    def read(tx: Tx) -> tuple[ReviewRequest, list[Broadcast] | None]:
        request = rows.find_readable(tx, agent, request_id)
        return request, None if agent.by_token else rows.broadcast(tx, agent, request)

    return reply("Request retrieved successfully", whole(*await services.store.read(read)))


@router.get(routes.REQUEST_WAIT)
async def wait_for_request(
    request_id: RequestId,
    agent: PageReader,
    services: ServicesHere,
    timeout: Annotated[float, Query(ge=0, le=WAIT_MAX)] = WAIT_DEFAULT,
    until: Literal["decision", "question"] = "decision",
) -> Response:
    """Answer when the request is closed, or 408 with `pending` when `timeout` seconds have passed.

    Who asks for `until=question` is answered with the open request, too, while a reviewer's question to the agent is
    unanswered; others wait on, because whoever does not know of such questions would ask again at once and for ever.
    """

    def is_news(request: ReviewRequest) -> bool:
        return not request.status.is_open or (until == "question" and request.waits_for_agent)

    with anyio.move_on_after(timeout):
        while not services.feed.closed:
            with services.feed.watching(request_id) as news:
                if is_news(request := await _own(services, agent, request_id)):
                    break
                left = (request.timeout_at.timestamp() * 1000 - services.clock()) / 1000
                with anyio.move_on_after(max(left, 0.05)):
                    await news.wait()
    request = await _own(services, agent, request_id)
    if not is_news(request):
        return reply("Request is still pending", {"pending": True, **whole(request)}, status=408)
    return reply("Request retrieved successfully", whole(request))


async def _own(services: Services, agent: Agent, request_id: str) -> ReviewRequest:
    return await services.store.read(lambda tx: rows.find_own(tx, agent, request_id))


@router.patch(routes.REQUEST)
async def update_request(
    request_id: RequestId, wanted: RequestChange, agent: Asker, services: ServicesHere
) -> Response:
    """Change an open request: a new revision, seen by whoever has it open (H4)."""
    changed, notes = await services.lifecycle.change(agent, request_id, wanted)
    return reply("Request updated successfully", whole(changed) | {"notes": notes})


@router.delete(routes.REQUEST)
async def cancel_request(request_id: RequestId, agent: PageAsker, services: ServicesHere, call: Request) -> Response:
    """Withdraw an open request. One that nobody had taken gives its call back to the hour's limit."""
    request, before = await services.lifecycle.cancel(agent, request_id)
    untouched = before == Status.PENDING
    if untouched:
        await give_back(call, services, agent)
    reason = "nobody had taken the request" if untouched else "somebody had taken the request"
    data = {
        "request_id": request.id,
        "status": request.status,
        "cancelled_at": request.cancelled_at,
        "previous_status": before,
        "refund_info": {"refunded": untouched, "reason": reason},
        "request": shown(request),
    }
    return reply("Request cancelled successfully", data)


@router.post(routes.REQUEST_FEEDBACK)
async def add_feedback(request_id: RequestId, new: NewFeedback, agent: Asker, services: ServicesHere) -> Response:
    """Rate an answer, once, with the key that asked."""
    given = new.feedback.model_dump(mode="json", exclude_unset=True)
    return reply("Feedback added successfully", await services.lifecycle.add_feedback(agent, request_id, given))


@router.post(routes.REQUEST_DELIVERED)
async def deliver_request(request_id: RequestId, agent: Asker, services: ServicesHere) -> Response:
    """Say that the agent has the result, so that a later, equal question is a new one (H2)."""
    request = await services.lifecycle.deliver(agent, request_id)
    if request.status.is_open:
        raise BadRequest("Only the result of a closed request can be delivered", request.status.value)
    return reply("Delivery recorded", {"request_id": request.id, "first_delivered_at": request.first_delivered_at})


@router.post(routes.REQUEST_CLIENT_ANSWER)
async def answer_in_client(request_id: RequestId, answer: NewAnswer, agent: Asker, services: ServicesHere) -> Response:
    """Pass on what the client's user answered in the client's own dialog: the one answer a key can give (H7).

    Only for the key's own requests, only where the loop allows it, and marked `client_asserted` wherever it is shown.
    """
    return reply("Response recorded", whole(await services.lifecycle.decide_in_client(agent, request_id, answer)))


@router.get(routes.REQUEST_EVENTS)
async def request_events(request_id: RequestId, agent: RequestReader, services: ServicesHere) -> Response:
    """The request's event log with its hash chain (H24)."""
    await _own(services, agent, request_id)
    entries = await services.store.read(lambda tx: rows.history(tx, request_id))
    return reply("Events retrieved successfully", {"request_id": request_id, "events": entries})
