"""How the `data` of replies about webhooks looks. For the description only, as `shapes`."""

from __future__ import annotations

from typing import Any

from hitl_mcp.contract.webhooks import Delivered, Webhook
from hitl_mcp.service.description.shapes import Shape


class WebhookId(Shape):
    """The id, also beside the envelope: published samples read it there."""

    id: str


class OneWebhook(Shape):
    """One endpoint; with its secret in the replies that made it or its secret."""

    webhook: Webhook


class WebhookList(Shape):
    """Endpoints, oldest first."""

    webhooks: list[Webhook]
    count: int


class RemovedWebhook(Shape):
    """What was removed."""

    webhook_id: str


class Samples(Shape):
    """What a webhook's body looks like."""

    event: str
    samples: list[dict[str, Any]]


class OneDelivery(Shape):
    """One delivery with its attempts."""

    delivery: Delivered


class DeliveryList(Shape):
    """Deliveries with their attempts, newest first."""

    deliveries: list[Delivered]


class SentAgain(Shape):
    """How many deliveries are sent again."""

    count: int


class CallbackSecret(Shape):
    """What signs the callbacks of this machine's agents, shown this once."""

    callback_secret: str


class Allowed(Shape):
    """What may be called although it is private, or without TLS."""

    allowed: list[str]
