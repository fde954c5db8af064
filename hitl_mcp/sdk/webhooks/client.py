"""Registered webhooks, for `AsyncHITLClient`. The cloud offers none: there every method raises NotSupported."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hitl_mcp.contract.webhooks import Delivered, NewWebhook, Redelivery, Rotation, Webhook, WebhookChange
from hitl_mcp.sdk.backend import Backend
from hitl_mcp.sdk.given import joined, valid
from hitl_mcp.sdk.webhooks import calls

OVERLAP_SECONDS = 86_400


class Webhooks(ABC):
    """Webhooks over a client's backend. The key needs the scopes `webhooks:write` and `requests:read`."""

    _backend: Backend

    async def create_webhook(self, data: Mapping[str, Any] | None = None, **fields: Any) -> Webhook:
        """Register an endpoint; its `secret` is in this result and nowhere else.

        Args:
            data: `url`, `events` (names and patterns such as `request.*`, `!request.claimed`), `loop_id`, `secret`,
                `enabled`, `description`; also as keyword arguments.

        Raises: BadRequest with the field, or with the setting that allows a private address.
        """
        return await self._backend.send(calls.create(valid(NewWebhook, joined(data, fields))))

    async def list_webhooks(self) -> list[Webhook]:
        """The endpoints that this key made, without their secrets."""
        return await self._backend.send(calls.listed())

    async def get_webhook(self, webhook_id: str) -> Webhook:
        """One of them. Raises: NotFound."""
        return await self._backend.send(calls.get(webhook_id))

    async def update_webhook(self, webhook_id: str, **changes: Any) -> Webhook:
        """Change `url`, `events`, `loop_id`, `enabled` or `description`. Raises: NotFound, BadRequest."""
        return await self._backend.send(calls.update(webhook_id, valid(WebhookChange, changes)))

    async def delete_webhook(self, webhook_id: str) -> None:
        """Remove it; what waits for it is not sent any more. Raises: NotFound."""
        await self._backend.send(calls.delete(webhook_id))

    async def test_webhook(self, webhook_id: str) -> Delivered:
        """Send a test delivery and say what came of it. Raises: NotFound."""
        return await self._backend.send(calls.test(webhook_id))

    async def rotate_webhook(
        self, webhook_id: str, *, overlap_seconds: int = OVERLAP_SECONDS, secret: str | None = None
    ) -> Webhook:
        """A new `secret`, in this result and nowhere else.

        Args:
            overlap_seconds: for how long the former secret signs too.
            secret: the new one; by default one is made.

        Raises: NotFound, BadRequest.
        """
        wanted = valid(Rotation, {"overlap_seconds": overlap_seconds, "secret": secret})
        return await self._backend.send(calls.rotate(webhook_id, wanted))

    async def list_deliveries(self, webhook_id: str, *, limit: int = 50, before: int | None = None) -> list[Delivered]:
        """What was sent there, newest first, with every attempt.

        Args:
            before: only deliveries with a lower id, to read on.

        Raises: NotFound.
        """
        return await self._backend.send(calls.deliveries(webhook_id, limit, before))

    async def redeliver(
        self, webhook_id: str, *, delivery_id: int | None = None, since: datetime | str | None = None
    ) -> int:
        """Send one delivery, or all since a time, again; returns how many. Raises: NotFound, BadRequest."""
        wanted = valid(Redelivery, {"delivery_id": delivery_id, "since": since})
        return await self._backend.send(calls.redeliver(webhook_id, wanted))

    async def list_callbacks(self, request_id: str) -> list[Delivered]:
        """What was sent to the `callback_url` of a request of this key, with every attempt. Raises: NotFound."""
        return await self._backend.send(calls.callbacks(request_id))
