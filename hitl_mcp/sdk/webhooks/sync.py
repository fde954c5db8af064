"""The same methods for `HITLClient`, each in one line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from hitl_mcp.contract.webhooks import Delivered, Webhook
from hitl_mcp.sdk.webhooks.client import OVERLAP_SECONDS, Webhooks

T = TypeVar("T")


class SyncWebhooks(ABC):
    """Registered webhooks, for programs without an event loop."""

    @abstractmethod
    def _call(self, method: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        """Run a method of the asynchronous client."""

    def create_webhook(self, data: Mapping[str, Any] | None = None, **fields: Any) -> Webhook:
        """See `Webhooks.create_webhook`."""
        return self._call(Webhooks.create_webhook, data, **fields)

    def list_webhooks(self) -> list[Webhook]:
        """See `Webhooks.list_webhooks`."""
        return self._call(Webhooks.list_webhooks)

    def get_webhook(self, webhook_id: str) -> Webhook:
        """See `Webhooks.get_webhook`."""
        return self._call(Webhooks.get_webhook, webhook_id)

    def update_webhook(self, webhook_id: str, **changes: Any) -> Webhook:
        """See `Webhooks.update_webhook`."""
        return self._call(Webhooks.update_webhook, webhook_id, **changes)

    def delete_webhook(self, webhook_id: str) -> None:
        """See `Webhooks.delete_webhook`."""
        return self._call(Webhooks.delete_webhook, webhook_id)

    def test_webhook(self, webhook_id: str) -> Delivered:
        """See `Webhooks.test_webhook`."""
        return self._call(Webhooks.test_webhook, webhook_id)

    def rotate_webhook(
        self, webhook_id: str, *, overlap_seconds: int = OVERLAP_SECONDS, secret: str | None = None
    ) -> Webhook:
        """See `Webhooks.rotate_webhook`."""
        return self._call(Webhooks.rotate_webhook, webhook_id, overlap_seconds=overlap_seconds, secret=secret)

    def list_deliveries(self, webhook_id: str, *, limit: int = 50, before: int | None = None) -> list[Delivered]:
        """See `Webhooks.list_deliveries`."""
        return self._call(Webhooks.list_deliveries, webhook_id, limit=limit, before=before)

    def redeliver(self, webhook_id: str, *, delivery_id: int | None = None, since: datetime | str | None = None) -> int:
        """See `Webhooks.redeliver`."""
        return self._call(Webhooks.redeliver, webhook_id, delivery_id=delivery_id, since=since)

    def list_callbacks(self, request_id: str) -> list[Delivered]:
        """See `Webhooks.list_callbacks`."""
        return self._call(Webhooks.list_callbacks, request_id)
