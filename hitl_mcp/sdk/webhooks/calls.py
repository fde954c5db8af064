"""One pure function per endpoint, as `hitl_mcp.sdk.calls`."""

from __future__ import annotations

from typing import Any

from hitl_mcp.contract import routes
from hitl_mcp.contract.webhooks import Delivered, NewWebhook, Redelivery, Rotation, Webhook, WebhookChange
from hitl_mcp.sdk.calls import Call, nothing, part, reader

_webhook = reader(Webhook, "webhook")
_webhooks = reader(list[Webhook], "webhooks")
_delivery = reader(Delivered, "delivery")
_deliveries = reader(list[Delivered], "deliveries")
_count = reader(int, "count")
TEST_SECONDS = 45.0


def create(new: NewWebhook) -> Call[Webhook]:
    """Register an endpoint."""
    body = new.model_dump(mode="json", exclude_none=True)
    return Call("create_webhook", "POST", routes.WEBHOOKS, _webhook, body=body, repeatable=False)


def listed() -> Call[list[Webhook]]:
    """The endpoints that the key made."""
    return Call("list_webhooks", "GET", routes.WEBHOOKS, _webhooks)


def get(webhook_id: str) -> Call[Webhook]:
    """One of them."""
    return Call("get_webhook", "GET", _path(routes.WEBHOOK, webhook_id), _webhook)


def update(webhook_id: str, change: WebhookChange) -> Call[Webhook]:
    """Change what is given."""
    body = change.model_dump(mode="json", exclude_unset=True)
    return Call("update_webhook", "PATCH", _path(routes.WEBHOOK, webhook_id), _webhook, body=body)


def delete(webhook_id: str) -> Call[None]:
    """Remove it."""
    return Call("delete_webhook", "DELETE", _path(routes.WEBHOOK, webhook_id), nothing, repeatable=False)


def test(webhook_id: str) -> Call[Delivered]:
    """Send a test."""
    path = _path(routes.WEBHOOK_TEST, webhook_id)
    return Call("test_webhook", "POST", path, _delivery, repeatable=False, seconds=TEST_SECONDS)


def rotate(webhook_id: str, wanted: Rotation) -> Call[Webhook]:
    """A new secret."""
    body = wanted.model_dump(mode="json", exclude_none=True)
    return Call(
        "rotate_webhook", "POST", _path(routes.WEBHOOK_ROTATE, webhook_id), _webhook, body=body, repeatable=False
    )


def deliveries(webhook_id: str, limit: int, before: int | None) -> Call[list[Delivered]]:
    """What was sent there."""
    query: dict[str, Any] = {"limit": limit} | ({} if before is None else {"before": before})
    return Call("list_deliveries", "GET", _path(routes.WEBHOOK_DELIVERIES, webhook_id), _deliveries, query=query)


def redeliver(webhook_id: str, wanted: Redelivery) -> Call[int]:
    """Send again."""
    body = wanted.model_dump(mode="json", exclude_none=True)
    return Call("redeliver", "POST", _path(routes.WEBHOOK_REDELIVER, webhook_id), _count, body=body, repeatable=False)


def callbacks(request_id: str) -> Call[list[Delivered]]:
    """What was sent to a request's `callback_url`."""
    return Call("list_callbacks", "GET", routes.REQUEST_CALLBACKS.format(request_id=part(request_id)), _deliveries)


def _path(route: str, webhook_id: str) -> str:
    return route.format(webhook_id=part(webhook_id))
