"""AsyncHITLClient: sends calls, repeats what can be repeated safely, and waits for decisions."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, AsyncExitStack
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import anyio
from pydantic import ValidationError

from hitl_mcp.contract.models import Change, Created, Loop, NewRequest, RequestFilter, ReviewRequest
from hitl_mcp.contract.routes import CLIENT_NAME, EVENTS_STREAM
from hitl_mcp.errors import ContractBroken, NotAuthorised, ServiceFault, TooManyRequests, Unreachable
from hitl_mcp.sdk import calls, http
from hitl_mcp.sdk.calls import Call
from hitl_mcp.sdk.endpoint import Endpoint, Resolver
from hitl_mcp.sdk.failures import envelope_data
from hitl_mcp.sdk.watch import Watch, Watcher

T = TypeVar("T")

ATTEMPTS = 4
STREAM_SILENCE_SECONDS = 40.0
"""The service pings every 15 s; a stream that is silent for longer is dead."""
AT_ONCE = 16
"""Calls under way; the others queue here. The pool looks at its whole queue each time a call begins or ends."""
_RETRY = {429, 502, 503, 504}


class AsyncHITLClient:
    """The client of one backend. Use it as an async context manager, or run `run()` in a task of your own.

    Args:
        resolver: finds the backend, again after it went away.
    """

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._http = http.new_client()
        self._endpoint: Endpoint | None = None
        self._watcher = Watcher(self)
        self._stack = AsyncExitStack()
        self._turns = anyio.Semaphore(AT_ONCE)
        self.client_name: str | None = None

    async def __aenter__(self) -> Self:
        tasks = await self._stack.enter_async_context(anyio.create_task_group())
        tasks.start_soon(self.run)
        self._stack.callback(tasks.cancel_scope.cancel)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._stack.aclose()  # without the block's own error, which a task group would wrap into a group
        finally:
            await self.aclose()

    async def run(self) -> None:
        """What makes waiting work; runs until cancelled."""
        await self._watcher.run()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def list_loops(self) -> list[Loop]:
        """Every loop the key may ask in."""
        return await self._send(calls.list_loops())

    async def create_request(
        self, loop_id: str, new: NewRequest, *, once_key: str | None = None, client_name: str | None = None
    ) -> Created:
        """Ask a person.

        Args:
            once_key: the same key and question find the same request while it is open (D12).
            client_name: who asks, where several ask through this client; by default the client's own `client_name`.
        """
        call = calls.create_request(loop_id, new, once_key)
        if client_name:
            call.headers[CLIENT_NAME] = _header(client_name)
        return await self._send(call)

    async def get_request(self, request_id: str) -> ReviewRequest:
        """One request as it stands."""
        return await self._send(calls.get_request(request_id))

    async def list_requests(self, wanted: RequestFilter) -> list[ReviewRequest]:
        """The key's requests."""
        return await self._send(calls.list_requests(wanted))

    async def cancel_request(self, request_id: str) -> ReviewRequest:
        """Withdraw an open request."""
        return await self._send(calls.cancel_request(request_id))

    async def deliver_request(self, request_id: str) -> None:
        """Say that the agent has the result."""
        await self._send(calls.deliver_request(request_id))

    async def changes_after(self, position: int | None) -> tuple[list[Change], int]:
        """What happened to the key's requests after a position."""
        return await self._send(calls.list_changes(position))

    def mark(self) -> int | None:
        """For `watching`, to be taken before the request is asked for or read; see `Watcher.mark`."""
        return self._watcher.mark()

    def watching(self, request: ReviewRequest, since: int | None = None) -> AbstractContextManager[Watch]:
        """Watch a request; see `Watcher.watching`."""
        return self._watcher.watching(request, since)

    async def wait_for_decision(self, request: ReviewRequest, seconds: float) -> ReviewRequest:
        """The request once it is closed, or as it stands after `seconds`. Giving up waiting withdraws nothing."""
        with self.watching(request) as watch, anyio.move_on_after(seconds):
            while watch.request.status.is_open:
                await watch.changed(seconds)
        return watch.request

    async def backend(self) -> Endpoint:
        """Where this client's backend is."""
        if self._endpoint is None:
            self._endpoint = await self._resolver.endpoint()
        return self._endpoint

    async def stream(self, after: int | None) -> AsyncIterator[Change | int]:
        """The event stream, opened once: its position, then changes. Ends when the service ends it.

        Raises: Unreachable.
        """
        endpoint = await self.backend()
        nonce = http.new_nonce()
        try:
            async with self._http.stream(
                "GET",
                endpoint.base_url + EVENTS_STREAM,
                params={} if after is None else {"after": after},
                headers=http.call_headers(endpoint, nonce),
                timeout=http.stream_timeout(STREAM_SILENCE_SECONDS),
            ) as response:
                http.check_proof(endpoint, nonce, response)
                if response.status_code != 200:
                    envelope_data(response.status_code, await response.aread())
                position = 0
                async for line in response.aiter_lines():
                    if line.startswith("id: "):
                        position = int(line[4:])
                    elif line == "event: ready":
                        yield position
                    elif line.startswith('data: {"'):
                        yield Change.model_validate_json(line[6:])
        except http.TransportError as error:
            await self._lost(endpoint)
            raise Unreachable(f"The event stream broke ({type(error).__name__})") from error
        except (Unreachable, NotAuthorised):
            await self._lost(endpoint)
            raise
        except (ValidationError, ValueError) as error:
            raise ContractBroken("The event stream could not be read") from error

    async def _send(self, call: Call[T]) -> T:
        for attempt in range(ATTEMPTS):
            endpoint = await self.backend()
            try:
                return await self._attempt(endpoint, call)
            except (ServiceFault, TooManyRequests) as refused:
                wait = refused.retry_after
                if refused.status not in _RETRY or wait is None or attempt == ATTEMPTS - 1 or not call.repeatable:
                    raise
                await anyio.sleep(wait * random.uniform(1, 1.5))
            except NotAuthorised:
                # a local service that was started again has a new key; it refused the old one, so nothing was done
                if endpoint.proof_secret is None or attempt == ATTEMPTS - 1:
                    raise
                await self._lost(endpoint)
            except Unreachable as error:
                safe = call.repeatable or isinstance(error.__cause__, http.NotConnected)
                await self._lost(endpoint)
                if not safe:
                    raise Unreachable(
                        "The connection broke before the answer came, so it is not known whether this took effect. "
                        "Look with check_request or list_requests before you try again."
                    ) from error
                if attempt == ATTEMPTS - 1:
                    raise
        raise Unreachable("The backend did not answer")

    async def _attempt(self, endpoint: Endpoint, call: Call[T]) -> T:
        headers = dict(call.headers)
        if self.client_name:
            headers.setdefault(CLIENT_NAME, _header(self.client_name))
        async with self._turns:
            response = await http.exchange(
                self._http, endpoint, call.method, call.path, seconds=http.CALL_SECONDS, query=call.query,
                body=call.body, headers=headers,
            )  # fmt: skip
        return call.read(envelope_data(response.status_code, response.content))

    async def _lost(self, endpoint: Endpoint) -> None:
        """Find the backend again, once for all who noticed."""
        if self._endpoint is endpoint:
            self._endpoint = await self._resolver.endpoint(endpoint)


def _header(name: str) -> str:
    return quote(name, safe=" ()/")  # headers hold ASCII only
