"""What an agent's key can do with requests: ask, read, change, withdraw, wait (contract sections 2.4 to 2.6)."""

from __future__ import annotations

from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Header, Query, Response

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import NewRequest, RequestChange, RequestFilter, ReviewRequest
from hitl_mcp.contract.states import Status
from hitl_mcp.errors import BadRequest
from hitl_mcp.service import rows
from hitl_mcp.service.actors import Agent
from hitl_mcp.service.api.parameters import LoopId, RequestId
from hitl_mcp.service.auth import AgentCaller, ServicesHere
from hitl_mcp.service.context import Services
from hitl_mcp.service.envelope import reply

router = APIRouter(tags=["requests"])

WAIT_DEFAULT, WAIT_MAX = 60.0, 300.0
"""Seconds; the shape of the cloud preview's long poll (contract section 2.8)."""


def whole(request: ReviewRequest) -> dict[str, Any]:
    """A request under `data.request`, with the flat copies that published pollers read (compatibility section 1)."""
    flat_status = "timed_out" if request.status is Status.TIMEOUT else request.status.value
    return {
        "request": request,
        "status": flat_status,
        "response_data": request.response_data,
        "default_response": request.default_response,
    }


@router.post(routes.LOOP_REQUESTS, status_code=201)
async def create_request(
    loop_id: LoopId,
    new: NewRequest,
    agent: AgentCaller,
    services: ServicesHere,
    once_key: Annotated[str | None, Header(alias=routes.IDEMPOTENCY_KEY, min_length=1, max_length=200)] = None,
) -> Response:
    """Ask a person. With an `Idempotency-Key` the same question is asked once (H1, H2)."""
    created = await services.lifecycle.create(agent, loop_id, new, once_key)
    if created.joined:
        return reply("The same question was already asked", created)
    return reply("Request created and broadcasted successfully", created, status=201)


@router.get(routes.REQUESTS)
async def list_requests(
    wanted: Annotated[RequestFilter, Query()], agent: AgentCaller, services: ServicesHere
) -> Response:
    """This key's requests, filtered and paged."""
    found, total = await services.store.scan(lambda tx: rows.listed(tx, wanted, agent))
    shown = wanted.offset + len(found)
    page = {"limit": wanted.limit, "offset": wanted.offset, "next_offset": shown if shown < total else None}
    data = {"requests": found, "count": len(found), "total": total, "has_more": shown < total, "pagination": page}
    return reply("Requests retrieved successfully", data)


@router.get(routes.REQUEST)
async def get_request(request_id: RequestId, agent: AgentCaller, services: ServicesHere) -> Response:
    """One request as it stands."""
    return reply("Request retrieved successfully", whole(await _own(services, agent, request_id)))


@router.get(routes.REQUEST_WAIT)
async def wait_for_request(
    request_id: RequestId,
    agent: AgentCaller,
    services: ServicesHere,
    timeout: Annotated[float, Query(ge=0, le=WAIT_MAX)] = WAIT_DEFAULT,
) -> Response:
    """Answer when the request is closed, or 408 with `pending` when `timeout` seconds have passed."""
    with anyio.move_on_after(timeout):
        while not services.feed.closed:
            with services.feed.watching(request_id) as news:
                if not (request := await _own(services, agent, request_id)).status.is_open:
                    break
                left = (request.timeout_at.timestamp() * 1000 - services.clock()) / 1000
                with anyio.move_on_after(max(left, 0.05)):
                    await news.wait()
    request = await _own(services, agent, request_id)
    if request.status.is_open:
        return reply("Request is still pending", {"pending": True, **whole(request)}, status=408)
    return reply("Request retrieved successfully", whole(request))


async def _own(services: Services, agent: Agent, request_id: str) -> ReviewRequest:
    return await services.store.read(lambda tx: rows.find_own(tx, agent, request_id))


@router.patch(routes.REQUEST)
async def update_request(
    request_id: RequestId, wanted: RequestChange, agent: AgentCaller, services: ServicesHere
) -> Response:
    """Change an open request: a new revision, seen by whoever has it open (H4)."""
    changed = await services.lifecycle.change(agent, request_id, wanted)
    return reply("Request updated successfully", whole(changed))


@router.delete(routes.REQUEST)
async def cancel_request(request_id: RequestId, agent: AgentCaller, services: ServicesHere) -> Response:
    """Withdraw an open request."""
    request, before = await services.lifecycle.cancel(agent, request_id)
    data = {
        "request_id": request.id,
        "status": request.status,
        "cancelled_at": request.cancelled_at,
        "previous_status": before,
        "request": request,
    }
    return reply("Request cancelled successfully", data)


@router.post(routes.REQUEST_DELIVERED)
async def deliver_request(request_id: RequestId, agent: AgentCaller, services: ServicesHere) -> Response:
    """Say that the agent has the result, so that a later, equal question is a new one (H2)."""
    request = await services.lifecycle.deliver(agent, request_id)
    if request.status.is_open:
        raise BadRequest("Only the result of a closed request can be delivered", request.status.value)
    return reply("Delivery recorded", {"request_id": request.id, "first_delivered_at": request.first_delivered_at})


@router.get(routes.REQUEST_EVENTS)
async def request_events(request_id: RequestId, agent: AgentCaller, services: ServicesHere) -> Response:
    """The request's event log with its hash chain (H24)."""
    await _own(services, agent, request_id)
    entries = await services.store.read(lambda tx: rows.history(tx, request_id))
    return reply("Events retrieved successfully", {"request_id": request_id, "events": entries})
