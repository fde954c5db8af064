"""The same methods for `HITLClient`, each in one line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

from hitl_mcp.contract.first_generation import FirstAnswer
from hitl_mcp.sdk.batches import AT_ONCE, Progress
from hitl_mcp.sdk.reviews.client import Reviews
from hitl_mcp.sdk.reviews.models import Review
from hitl_mcp.sdk.reviews.template import Template

T = TypeVar("T")


class SyncReviews(ABC):
    """Reviews and their templates, for programs without an event loop."""

    @abstractmethod
    def _call(self, method: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        """Run a method of the asynchronous client."""

    def create_review(
        self,
        template_id: str | None = None,
        content: Any = None,
        assignees: Iterable[str] | None = None,
        priority: str | None = None,
        due_date: Any = None,
        *,
        idempotency_key: str | None = None,
        **more: Any,
    ) -> Review:
        """See `Reviews.create_review`."""
        return self._call(
            Reviews.create_review,
            template_id,
            content,
            assignees,
            priority,
            due_date,
            idempotency_key=idempotency_key,
            **more,
        )

    def create_reviews(
        self, reviews: Iterable[Mapping[str, Any]], *, at_once: int = AT_ONCE, on_progress: Progress | None = None
    ) -> list[Review]:
        """See `Reviews.create_reviews`."""
        return self._call(Reviews.create_reviews, reviews, at_once=at_once, on_progress=on_progress)

    def get_review(self, review_id: str) -> Review:
        """See `Reviews.get_review`."""
        return self._call(Reviews.get_review, review_id)

    def wait_for_review(self, review_id: str, timeout: float | None = None) -> Review:
        """See `Reviews.wait_for_review`."""
        return self._call(Reviews.wait_for_review, review_id, timeout)

    def update_review(
        self,
        review_id: str,
        content: Any = None,
        *,
        assignees: Iterable[str] | None = None,
        priority: str | None = None,
        due_date: Any = None,
    ) -> Review:
        """See `Reviews.update_review`."""
        return self._call(
            Reviews.update_review, review_id, content, assignees=assignees, priority=priority, due_date=due_date
        )

    def update_reviews(
        self, reviews: Iterable[Mapping[str, Any]], *, at_once: int = AT_ONCE, on_progress: Progress | None = None
    ) -> list[Review]:
        """See `Reviews.update_reviews`."""
        return self._call(Reviews.update_reviews, reviews, at_once=at_once, on_progress=on_progress)

    def reassign_review(self, review_id: str, assignees: Iterable[str]) -> Review:
        """See `Reviews.reassign_review`."""
        return self._call(Reviews.reassign_review, review_id, assignees)

    def cancel_review(self, review_id: str) -> Review:
        """See `Reviews.cancel_review`."""
        return self._call(Reviews.cancel_review, review_id)

    def create_template(
        self,
        name: str,
        fields: Iterable[Mapping[str, Any]],
        *,
        key: str | None = None,
        loop_id: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Template:
        """See `Reviews.create_template`."""
        return self._call(Reviews.create_template, name, fields, key=key, loop_id=loop_id, settings=settings)

    def list_templates(self) -> list[Template]:
        """See `Reviews.list_templates`."""
        return self._call(Reviews.list_templates)

    def get_template(self, template_id: str) -> Template:
        """See `Reviews.get_template`."""
        return self._call(Reviews.get_template, template_id)

    def update_template(
        self,
        template_id: str,
        *,
        name: str | None = None,
        fields: Iterable[Mapping[str, Any]] | None = None,
        loop_id: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Template:
        """See `Reviews.update_template`."""
        return self._call(
            Reviews.update_template, template_id, name=name, fields=fields, loop_id=loop_id, settings=settings
        )

    def get_response(self, request_id: str) -> FirstAnswer:
        """See `Reviews.get_response`."""
        return self._call(Reviews.get_response, request_id)
