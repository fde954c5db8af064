"""HITLClient: AsyncHITLClient for programs without an event loop. Every method is one line; a test holds them equal."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from hitl_mcp.contract.account import Invitation, KeyFacts, NewLoopReply
from hitl_mcp.contract.models import Change, Created, Loop, NewRequest, RequestFilter, ReviewRequest
from hitl_mcp.contract.teams import Member
from hitl_mcp.contract.tokens import TOKEN_SECONDS, AccessToken
from hitl_mcp.sdk.aio import Asked, AsyncHITLClient
from hitl_mcp.sdk.batches import AT_ONCE, Progress
from hitl_mcp.sdk.choosing import backend_maker
from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.sdk.portal import Portal
from hitl_mcp.sdk.reviews.sync import SyncReviews
from hitl_mcp.sdk.webhooks.sync import SyncWebhooks

T = TypeVar("T")


class HITLClient(SyncReviews, SyncWebhooks):
    """The client of one backend, for programs without an event loop. Arguments and methods: `AsyncHITLClient`.

    It may be shared by threads, and made at a module's top before a server forks: each process opens its own
    connections at its first call. Use it as a context manager, or close it with `close`, or leave it to the program's
    end.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float | None = None,
        max_retries: int = 3,
        retry_delay: float = 1.0,
        user_agent: str | None = None,
    ) -> None:
        maker = backend_maker(
            api_key, base_url, timeout=timeout, max_retries=max_retries, retry_delay=retry_delay, user_agent=user_agent
        )  # wrong settings are told here; nothing is opened
        self._portal = Portal(lambda: AsyncHITLClient(backend=maker()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. A later call opens them again."""
        self._portal.close()

    def _call(self, method: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> T:
        """Run a method of AsyncHITLClient."""
        return self._portal.call(lambda client: method(client, *args, **kwargs))

    def backend(self) -> Endpoint:
        """See `AsyncHITLClient.backend`."""
        return self._call(AsyncHITLClient.backend)

    def check_key(self) -> KeyFacts:
        """See `AsyncHITLClient.check_key`."""
        return self._call(AsyncHITLClient.check_key)

    def create_token(
        self, expires_in: int = TOKEN_SECONDS, *, loop_ids: list[str] | None = None, scopes: list[str] | None = None
    ) -> AccessToken:
        """See `AsyncHITLClient.create_token`."""
        return self._call(AsyncHITLClient.create_token, expires_in, loop_ids=loop_ids, scopes=scopes)

    def list_loops(self, *, fresh: bool = False) -> list[Loop]:
        """See `AsyncHITLClient.list_loops`."""
        return self._call(AsyncHITLClient.list_loops, fresh=fresh)

    def get_loop(self, loop_id: str) -> Loop:
        """See `AsyncHITLClient.get_loop`."""
        return self._call(AsyncHITLClient.get_loop, loop_id)

    def create_loop(self, name: str, icon: str = "shield-check", description: str | None = None) -> NewLoopReply:
        """See `AsyncHITLClient.create_loop`."""
        return self._call(AsyncHITLClient.create_loop, name, icon, description)

    def update_loop(self, loop_id: str, **changes: Any) -> Loop:
        """See `AsyncHITLClient.update_loop`."""
        return self._call(AsyncHITLClient.update_loop, loop_id, **changes)

    def delete_loop(self, loop_id: str) -> None:
        """See `AsyncHITLClient.delete_loop`."""
        return self._call(AsyncHITLClient.delete_loop, loop_id)

    def renew_invite(self, loop_id: str) -> Invitation:
        """See `AsyncHITLClient.renew_invite`."""
        return self._call(AsyncHITLClient.renew_invite, loop_id)

    def list_members(self, loop_id: str) -> list[Member]:
        """See `AsyncHITLClient.list_members`."""
        return self._call(AsyncHITLClient.list_members, loop_id)

    def add_member(self, loop_id: str, email: str, name: str | None = None) -> Member:
        """See `AsyncHITLClient.add_member`."""
        return self._call(AsyncHITLClient.add_member, loop_id, email, name)

    def remove_member(self, loop_id: str, user_id: str) -> None:
        """See `AsyncHITLClient.remove_member`."""
        return self._call(AsyncHITLClient.remove_member, loop_id, user_id)

    def create_request(
        self,
        loop_id: str,
        data: NewRequest | Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        client_name: str | None = None,
        **fields: Any,
    ) -> Created:
        """See `AsyncHITLClient.create_request`."""
        return self._call(
            AsyncHITLClient.create_request,
            loop_id,
            data,
            idempotency_key=idempotency_key,
            client_name=client_name,
            **fields,
        )

    def request_approval(
        self, loop_id: str, request_text: str, *, idempotency_key: str | None = None, **fields: Any
    ) -> Created:
        """See `AsyncHITLClient.request_approval`."""
        return self._call(
            AsyncHITLClient.request_approval, loop_id, request_text, idempotency_key=idempotency_key, **fields
        )

    def create_requests(
        self,
        loop_id: str,
        items: Iterable[NewRequest | Mapping[str, Any]],
        *,
        at_once: int = AT_ONCE,
        on_progress: Progress | None = None,
    ) -> list[Created]:
        """See `AsyncHITLClient.create_requests`."""
        return self._call(AsyncHITLClient.create_requests, loop_id, items, at_once=at_once, on_progress=on_progress)

    def get_request(self, request_id: str) -> ReviewRequest:
        """See `AsyncHITLClient.get_request`."""
        return self._call(AsyncHITLClient.get_request, request_id)

    def look(self, request_id: str) -> ReviewRequest:
        """See `AsyncHITLClient.look`."""
        return self._call(AsyncHITLClient.look, request_id)

    def list_requests(self, wanted: RequestFilter | None = None, **filters: Any) -> list[ReviewRequest]:
        """See `AsyncHITLClient.list_requests`."""
        return self._call(AsyncHITLClient.list_requests, wanted, **filters)

    def list_loop_requests(self, loop_id: str, **filters: Any) -> list[ReviewRequest]:
        """See `AsyncHITLClient.list_loop_requests`."""
        return self._call(AsyncHITLClient.list_loop_requests, loop_id, **filters)

    def update_request(self, request_id: str, **changes: Any) -> ReviewRequest:
        """See `AsyncHITLClient.update_request`."""
        return self._call(AsyncHITLClient.update_request, request_id, **changes)

    def cancel_request(self, request_id: str) -> ReviewRequest:
        """See `AsyncHITLClient.cancel_request`."""
        return self._call(AsyncHITLClient.cancel_request, request_id)

    def add_feedback(self, request_id: str, feedback: Mapping[str, Any] | None = None, **fields: Any) -> None:
        """See `AsyncHITLClient.add_feedback`."""
        return self._call(AsyncHITLClient.add_feedback, request_id, feedback, **fields)

    def answer_in_client(
        self, request_id: str, response_data: Any, *, revision: int, comment: str = ""
    ) -> ReviewRequest:
        """See `AsyncHITLClient.answer_in_client`."""
        return self._call(
            AsyncHITLClient.answer_in_client, request_id, response_data, revision=revision, comment=comment
        )

    def changes_after(self, position: int | None) -> tuple[list[Change], int]:
        """See `AsyncHITLClient.changes_after`."""
        return self._call(AsyncHITLClient.changes_after, position)

    def wait_for_decision(
        self, request: Asked, timeout: float | None = None, *, until_question: bool = False
    ) -> ReviewRequest:
        """See `AsyncHITLClient.wait_for_decision`."""
        return self._call(AsyncHITLClient.wait_for_decision, request, timeout, until_question=until_question)

    def wait_for_decisions(
        self, requests: Iterable[Asked], timeout: float | None = None, *, on_progress: Progress | None = None
    ) -> list[ReviewRequest]:
        """See `AsyncHITLClient.wait_for_decisions`."""
        return self._call(AsyncHITLClient.wait_for_decisions, requests, timeout, on_progress=on_progress)

    def deliver_request(self, request_id: str) -> None:
        """See `AsyncHITLClient.deliver_request`."""
        return self._call(AsyncHITLClient.deliver_request, request_id)
