"""Webhooks of the signed-in person: endpoints, what was sent there and to callbacks, and sending it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hitl_mcp.contract.webhooks import (
    LOOP_EVENTS,
    REQUEST_EVENTS,
    NewWebhook,
    Redelivery,
    Rotation,
    Webhook,
    WebhookChange,
)
from hitl_mcp.errors import BadRequest, Refused, Unreachable
from hitl_mcp.service import keys, loops
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox.forms import text_of
from hitl_mcp.service.inbox.render import page
from hitl_mcp.service.inbox.session import Visit, check_joined, posted, visit_of
from hitl_mcp.service.inbox.texts import _
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.webhooks import endpoints, history
from hitl_mcp.service.webhooks.endpoints import Owner

SHOWN = 50
"""Deliveries on one page."""


_EMPTY: dict[str, Any] = {"url": "", "loop_id": "", "description": "", "events": []}


class Hooks:
    """The handlers.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> Sequence[Route]:
        """Where they answer."""
        return (
            Route("/webhooks", self.listed),
            Route("/webhooks", self.add, methods=["POST"]),
            Route("/webhooks/{webhook_id:str}", self.one),
            Route("/webhooks/{webhook_id:str}/{action:str}", self.act, methods=["POST"]),
        )

    async def listed(self, request: Request) -> Response:
        """The endpoints, and the newest deliveries to callbacks."""
        return await self._list(await visit_of(request, self._services))

    async def _list(
        self, visit: Visit, status: int = 200, fault: str | None = None, typed: dict[str, Any] | None = None
    ) -> Response:
        def read(tx: Tx) -> dict[str, Any]:
            mine = keys.of_person(tx, visit.person.user_id)
            return {
                "hooks": endpoints.listed(tx, Owner.of(visit.person)),
                "callbacks": history.of_callbacks(tx, mine, SHOWN),
                "loops": loops.joined(tx, visit.person.user_id),
            }

        found = await self._services.store.scan(read)
        events = (*REQUEST_EVENTS, *LOOP_EVENTS)
        return page(
            "webhooks.html", status, page="webhooks", visit=visit, known_events=events,
            fault=fault, typed=_EMPTY | (typed or {}), **found,
        )  # fmt: skip

    async def add(self, request: Request) -> Response:
        """Register an endpoint; the page that follows shows its secret this once."""
        visit, form = await posted(request, self._services)
        await check_joined(self._services, visit)
        typed = {name: text_of(form, name).strip() for name in ("url", "loop_id", "description")}
        chosen = [str(value) for value in form.getlist("events")]
        try:
            new = NewWebhook(
                url=typed["url"], events=chosen or ["*"], loop_id=typed["loop_id"] or None,
                description=typed["description"] or None,
            )  # fmt: skip
            await self._services.outgoing.check(new.url)
            made = await self._services.store.write(lambda tx: endpoints.create(tx, Owner.of(visit.person), new))
        except ValidationError:
            words = _("Write the whole address, such as https://example.com/hitl.")
            return await self._list(visit, 400, fault=words, typed=typed | {"events": chosen})
        except (Refused, Unreachable) as error:
            details = error.details if isinstance(error, Refused) else None
            return await self._list(visit, 400, fault=str(details or error), typed=typed | {"events": chosen})
        return await self._one(visit, made.id, secret=made.secret)

    async def one(self, request: Request) -> Response:
        """One endpoint with what was sent there."""
        return await self._one(await visit_of(request, self._services), request.path_params["webhook_id"])

    async def _one(self, visit: Visit, webhook_id: str, secret: str | None = None) -> Response:
        def read(tx: Tx) -> dict[str, Any]:
            hook = endpoints.find(tx, Owner.of(visit.person), webhook_id)
            loop = None if hook.loop_id is None else loops.named(tx, hook.loop_id)
            return {"hook": hook, "loop": loop, "sent": history.of_endpoint(tx, webhook_id, SHOWN)}

        found = await self._services.store.scan(read)
        return page("webhook.html", page="webhook", visit=visit, secret=secret, **found)

    async def act(self, request: Request) -> Response:
        """Test, enable, disable, rotate, send again or remove."""
        visit, form = await posted(request, self._services)
        if request.path_params["action"] not in ("disable", "remove"):
            await check_joined(self._services, visit)
        webhook_id, owner = request.path_params["webhook_id"], Owner.of(visit.person)
        write = self._services.store.write
        match request.path_params["action"]:
            case "test":
                await write(lambda tx: (endpoints.find(tx, owner, webhook_id), history.test(tx, webhook_id)))
            case "enable":
                await write(lambda tx: endpoints.change(tx, owner, webhook_id, WebhookChange(enabled=True)))
            case "disable":
                await write(lambda tx: endpoints.change(tx, owner, webhook_id, WebhookChange(enabled=False)))
            case "rotate":
                rotated = await write(lambda tx: endpoints.rotate(tx, owner, webhook_id, Rotation()))
                return await self._one(visit, webhook_id, secret=rotated.secret)
            case "again":
                await write(_again(owner, webhook_id, _number(text_of(form, "delivery"))))
            case "remove":
                await write(lambda tx: endpoints.remove(tx, owner, webhook_id))
                return RedirectResponse("/webhooks", 303)
            case _:
                raise BadRequest(_("There is nothing like that to do"))
        return RedirectResponse(f"/webhooks/{webhook_id}", 303)


def _again(owner: Owner, webhook_id: str, delivery_id: int) -> Callable[[Tx], Webhook]:
    def unit(tx: Tx) -> Webhook:
        hook = endpoints.find(tx, owner, webhook_id)
        if not hook.enabled:
            raise BadRequest(_("The webhook is disabled. Enable it first"))
        history.send_again(tx, webhook_id, Redelivery(delivery_id=delivery_id))
        return hook

    return unit


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 16):
        raise BadRequest(_("There is no such delivery"))
    return max(1, int(text))
