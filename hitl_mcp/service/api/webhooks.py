"""Registered webhooks: a key manages the endpoints it made; its requests' callbacks can be looked at (contract 5.3)."""

from __future__ import annotations

from typing import Annotated

import anyio
from fastapi import APIRouter, Query, Response

from hitl_mcp.contract import routes
from hitl_mcp.contract.teams import Scope
from hitl_mcp.contract.webhooks import NewWebhook, Redelivery, Rotation, WebhookChange
from hitl_mcp.errors import BadRequest, NotAllowed, Unreachable
from hitl_mcp.service import rows
from hitl_mcp.service.actors import Agent
from hitl_mcp.service.api.parameters import RequestId, WebhookId
from hitl_mcp.service.context import Services
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.web.auth import RequestReader, ServicesHere, WebhookWriter
from hitl_mcp.service.web.envelope import reply
from hitl_mcp.service.webhooks import endpoints, history
from hitl_mcp.service.webhooks.endpoints import Owner

router = APIRouter(tags=["webhooks"])

TEST_SECONDS = 15.0
"""How long a test is waited for; the attempt itself may take longer and is in the list of deliveries then."""
_Limit = Annotated[int, Query(ge=1, le=100)]
_Before = Annotated[int | None, Query(ge=1, description="Only deliveries with a lower id, to read on")]


def _owner(agent: Agent) -> Owner:
    if Scope.REQUESTS_READ not in agent.scopes:  # an endpoint is told what requests say
        raise NotAllowed("This API key lacks the scope requests:read, which webhooks need besides webhooks:write")
    return Owner.of(agent)


async def checked(services: Services, url: str) -> None:
    """Judge an address before it is kept. Raises: BadRequest saying what would be accepted."""
    try:
        await services.outgoing.check(url)
    except Unreachable as error:
        raise BadRequest("The address may not be called", str(error)) from None


@router.post(routes.WEBHOOKS, status_code=201)
async def create_webhook(new: NewWebhook, agent: WebhookWriter, services: ServicesHere) -> Response:
    """An endpoint that is told of what its key's person asks. Its secret is in this reply and nowhere else."""
    owner = _owner(agent)
    await checked(services, new.url)
    made = await services.store.write(lambda tx: endpoints.create(tx, owner, new))
    return reply("Webhook created", {"webhook": made}, status=201, beside={"id": made.id})


@router.get(routes.WEBHOOKS)
async def list_webhooks(agent: WebhookWriter, services: ServicesHere) -> Response:
    """The endpoints that this key made, without their secrets."""
    owner = _owner(agent)
    found = await services.store.read(lambda tx: endpoints.listed(tx, owner))
    return reply("Webhooks retrieved successfully", {"webhooks": found, "count": len(found)})


@router.get(routes.WEBHOOK)
async def get_webhook(webhook_id: WebhookId, agent: WebhookWriter, services: ServicesHere) -> Response:
    """One endpoint, without its secret."""
    owner = _owner(agent)
    found = await services.store.read(lambda tx: endpoints.find(tx, owner, webhook_id))
    return reply("Webhook retrieved successfully", {"webhook": found})


@router.patch(routes.WEBHOOK)
@router.put(routes.WEBHOOK)
async def update_webhook(
    webhook_id: WebhookId, wanted: WebhookChange, agent: WebhookWriter, services: ServicesHere
) -> Response:
    """Change what is given. Enabling one that was disabled lets new events through; older ones are redelivered."""
    owner = _owner(agent)
    if wanted.url is not None:
        await checked(services, wanted.url)
    changed = await services.store.write(lambda tx: endpoints.change(tx, owner, webhook_id, wanted))
    return reply("Webhook updated", {"webhook": changed})


@router.delete(routes.WEBHOOK)
async def delete_webhook(webhook_id: WebhookId, agent: WebhookWriter, services: ServicesHere) -> Response:
    """Remove an endpoint; what waits for it is not sent any more."""
    owner = _owner(agent)
    removed = await services.store.write(lambda tx: endpoints.remove(tx, owner, webhook_id))
    return reply("Webhook deleted", {"webhook_id": removed.id})


@router.post(routes.WEBHOOK_TEST)
async def test_webhook(webhook_id: WebhookId, agent: WebhookWriter, services: ServicesHere) -> Response:
    """Send a test delivery now and say what came of it. It is tried once."""
    owner = _owner(agent)
    return reply("Webhook tested", {"delivery": await tested(services, owner, webhook_id)})


async def tested(services: Services, owner: Owner, webhook_id: str) -> object:
    """Send a test delivery, and wait a while for what comes of it. Raises: NotFound."""

    def send(tx: Tx) -> int:
        endpoints.find(tx, owner, webhook_id)
        return history.test(tx, webhook_id)

    delivery_id = await services.store.write(send)
    found = await services.store.read(lambda tx: history.one(tx, webhook_id, delivery_id))
    with anyio.move_on_after(TEST_SECONDS):
        while found.state == "waiting":
            await anyio.sleep(0.05)
            found = await services.store.read(lambda tx: history.one(tx, webhook_id, delivery_id))
    return found


@router.post(routes.WEBHOOK_ROTATE)
async def rotate_webhook(
    webhook_id: WebhookId, wanted: Rotation, agent: WebhookWriter, services: ServicesHere
) -> Response:
    """A new secret, in this reply and nowhere else; the former one signs too until the overlap ends."""
    owner = _owner(agent)
    rotated = await services.store.write(lambda tx: endpoints.rotate(tx, owner, webhook_id, wanted))
    return reply("Webhook secret rotated", {"webhook": rotated})


@router.get(routes.WEBHOOK_DELIVERIES)
async def webhook_deliveries(
    webhook_id: WebhookId, agent: WebhookWriter, services: ServicesHere, limit: _Limit = 50, before: _Before = None
) -> Response:
    """The newest deliveries with every attempt."""
    owner = _owner(agent)

    def read(tx: Tx) -> list[object]:
        endpoints.find(tx, owner, webhook_id)
        return list(history.of_endpoint(tx, webhook_id, limit, before))

    return reply("Deliveries retrieved successfully", {"deliveries": await services.store.scan(read)})


@router.post(routes.WEBHOOK_REDELIVER)
async def redeliver_webhook(
    webhook_id: WebhookId, wanted: Redelivery, agent: WebhookWriter, services: ServicesHere
) -> Response:
    """Send one delivery, or all since a time, again: in their order, under the same event ids."""
    owner = _owner(agent)

    def again(tx: Tx) -> int:
        if not endpoints.find(tx, owner, webhook_id).enabled:
            raise BadRequest("The webhook is disabled", "enable it first, so that it can be sent to")
        return history.send_again(tx, webhook_id, wanted)

    return reply("Redelivery started", {"count": await services.store.write(again)})


@router.get(routes.REQUEST_CALLBACKS)
async def request_callbacks(request_id: RequestId, agent: RequestReader, services: ServicesHere) -> Response:
    """What was sent to the `callback_url` of a request of this key, with every attempt."""

    def read(tx: Tx) -> list[object]:
        rows.find_own(tx, agent, request_id)
        return list(history.of_request(tx, request_id, 20))

    return reply("Deliveries retrieved successfully", {"deliveries": await services.store.read(read)})
