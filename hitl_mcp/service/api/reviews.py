"""What a signed-in person can do over the API with a request. No API key reaches these (D10)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from hitl_mcp.contract import routes
from hitl_mcp.contract.escalation import NewEscalation
from hitl_mcp.contract.models import NewAnswer
from hitl_mcp.contract.reviewing import AskedBack, Reassignment
from hitl_mcp.service import rows
from hitl_mcp.service.api.parameters import RequestId
from hitl_mcp.service.clock import maybe_moment, moment
from hitl_mcp.service.web.auth import ReviewerCaller, ServicesHere
from hitl_mcp.service.web.envelope import reply

router = APIRouter(tags=["reviews"])


@router.get(routes.REVIEWS)
async def open_reviews(
    person: ReviewerCaller, services: ServicesHere, limit: Annotated[int, Query(ge=1, le=200)] = 100
) -> Response:
    """What waits for a person, the most urgent first."""
    found = await services.store.scan(lambda tx: rows.open_requests(tx, person, limit))
    return reply("Requests retrieved successfully", {"requests": found, "count": len(found)})


@router.get(routes.REVIEW)
async def one_review(request_id: RequestId, person: ReviewerCaller, services: ServicesHere) -> Response:
    """One request, as a reviewer sees it."""
    request = await services.store.read(lambda tx: rows.find_for(tx, person, request_id))
    return reply("Request retrieved successfully", {"request": request})


@router.post(routes.REQUEST_CLAIM)
async def claim(request_id: RequestId, person: ReviewerCaller, services: ServicesHere) -> Response:
    """Take a request for a while."""
    return reply("Request claimed", {"request": await services.lifecycle.claim(person, request_id)})


@router.post(routes.REQUEST_RELEASE)
async def release(request_id: RequestId, person: ReviewerCaller, services: ServicesHere) -> Response:
    """Give a claimed request back."""
    return reply("Request released", {"request": await services.lifecycle.release(person, request_id)})


@router.post(routes.REQUEST_RESPOND)
async def respond(request_id: RequestId, answer: NewAnswer, person: ReviewerCaller, services: ServicesHere) -> Response:
    """Answer the revision that was shown."""
    decided = await services.lifecycle.decide(person, request_id, answer)
    said = "Response recorded"
    if decided.held_until is not None:
        said = f"Response recorded; it can be taken back until {moment(decided.held_until):%H:%M:%S} UTC"
    if decided.escalated:
        said = "Escalated: this answer stands for a step on the loop's ladder; the request is open"
    return reply(said, {"request": decided.request, "held_until": maybe_moment(decided.held_until)})


@router.post(routes.REQUEST_UNDO)
async def undo(request_id: RequestId, person: ReviewerCaller, services: ServicesHere) -> Response:
    """Take one's own answer back, while the loop lets that be done (H28)."""
    return reply("Response taken back", {"request": await services.lifecycle.undo(person, request_id)})


@router.post(routes.REQUEST_REASSIGN)
async def reassign(
    request_id: RequestId, wanted: Reassignment, person: ReviewerCaller, services: ServicesHere
) -> Response:
    """Hand a request to a member of its loop, or back to nobody in particular."""
    handed = await services.lifecycle.reassign(person, request_id, wanted.user_id, wanted.note)
    return reply("Request reassigned", {"request": handed})


@router.post(routes.REQUEST_ASK)
async def ask_back(request_id: RequestId, asked: AskedBack, person: ReviewerCaller, services: ServicesHere) -> Response:
    """Ask the agent something before deciding; it answers with a change of the request."""
    request = await services.lifecycle.ask_back(person, request_id, asked.question)
    return reply("Question sent to the agent", {"request": request})


@router.post(routes.REQUEST_ESCALATE)
async def escalate(
    request_id: RequestId, wanted: NewEscalation, person: ReviewerCaller, services: ServicesHere
) -> Response:
    """Take the next step on the loop's ladder, with a reason."""
    request = await services.lifecycle.escalate(person, request_id, wanted.reason)
    return reply("Request escalated", {"request": request})
