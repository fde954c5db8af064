"""One backend's connection: finds it, sends one call, and repeats what can be repeated safely."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple, TypeVar

import anyio
from pydantic import ValidationError

from hitl_mcp.backoff import drawn, pause
from hitl_mcp.contract.models import Change
from hitl_mcp.contract.routes import EVENTS_STREAM
from hitl_mcp.errors import ContractBroken, NotAuthorised, ServiceFault, TooManyRequests, Unreachable
from hitl_mcp.sdk import http
from hitl_mcp.sdk.calls import Call
from hitl_mcp.sdk.endpoint import Endpoint, Resolver
from hitl_mcp.sdk.failures import envelope_data

T = TypeVar("T")

MAX_RETRIES = 3
RETRY_DELAY_SECONDS = 1.0
MAX_PAUSE_SECONDS = 30.0
"""A refusal that says to come back later than this is handed to the caller, who knows what else there is to do."""
STREAM_SILENCE_SECONDS = 40.0
"""The service pings every 15 s; a stream that is silent for longer is dead."""
AT_ONCE = 16
"""Calls under way; the others queue here. The pool looks at its whole queue each time a call begins or ends."""
_RETRY = {429, 500, 502, 503, 504}


class Answer(NamedTuple):
    """What came back, unread."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """The way to one backend. Touches nothing before the first call.

    Args:
        resolver: finds the backend, again after it went away.
        timeout: seconds one attempt of a call may take.
        max_retries: how often a call is repeated where that is safe.
        retry_delay: seconds before the first repetition; doubled each time, with jitter.
        user_agent: what the calls say of themselves, beside the package's own name.
        transport: another way to the wire than sockets, for a backend in this process.

    Raises: ValueError.
    """

    def __init__(
        self,
        resolver: Resolver,
        *,
        timeout: float = http.CALL_SECONDS,
        max_retries: int = MAX_RETRIES,
        retry_delay: float = RETRY_DELAY_SECONDS,
        user_agent: str | None = None,
        transport: http.Transport | None = None,
    ) -> None:
        if timeout <= 0 or max_retries < 0 or retry_delay < 0:
            raise ValueError("timeout must be more than 0; max_retries and retry_delay must not be negative")
        self._resolver = resolver
        self._timeout = timeout
        self._max_retries = max_retries
        self._retry_delay = retry_delay
        self._user_agent = user_agent
        self._transport = transport
        self._http: http.Client | None = None
        self._endpoint: Endpoint | None = None
        self._turns = anyio.Semaphore(AT_ONCE)

    async def aclose(self) -> None:
        """Close what is open. A later call opens it again."""
        client, self._http = self._http, None
        if client is not None:
            await client.aclose()

    async def endpoint(self) -> Endpoint:
        """Where the backend is. Raises: Unreachable, NotConfigured."""
        if self._endpoint is None:
            self._endpoint = await self._resolver.endpoint()
        return self._endpoint

    async def attempt(self, call: Call[Any]) -> Answer:
        """One exchange, not repeated.

        Raises: Unreachable; its cause is one of `http.NotConnected` when nothing was sent.
        """
        return await self._attempt(await self.endpoint(), call)

    async def send(self, call: Call[T]) -> T:
        """The call's result, repeated while that is safe and promises something.

        Raises: Unreachable, ContractBroken and the Refused tree.
        """
        for attempt in range(self._max_retries + 1):
            last = attempt == self._max_retries
            endpoint = await self.endpoint()
            try:
                answer = await self._attempt(endpoint, call)
                return call.read(envelope_data(answer.status, answer.body))
            except (ServiceFault, TooManyRequests) as refused:
                wait = refused.retry_after
                if wait is None and isinstance(refused, ServiceFault):
                    wait = self._pause(attempt)
                helps = refused.status in _RETRY and call.repeatable and not last
                if not helps or wait is None or wait > MAX_PAUSE_SECONDS:
                    raise
                await anyio.sleep(wait * drawn(1, 1.5))
            except NotAuthorised:
                # a local service that was started again has a new key; it refused the old one, so nothing was done
                if endpoint.proof_secret is None or last:
                    raise
                await self._lost(endpoint)
            except Unreachable as error:
                safe = call.repeatable or isinstance(error.__cause__, http.NotConnected)
                if not safe:  # said before the backend is looked for again, which may fail with other words
                    raise type(error)(
                        "The connection broke before the answer came, so it is not known whether this took effect. "
                        "List your requests before you try again."
                    ) from error
                moved = await self._lost(endpoint)
                if last:
                    raise
                if not moved:
                    await anyio.sleep(self._pause(attempt))
        raise Unreachable("The backend did not answer")

    async def stream(self, after: int | None) -> AsyncIterator[Change | int]:
        """The event stream, opened once: its position, then changes. Ends when the service ends it.

        Raises: Unreachable.
        """
        endpoint = await self.endpoint()
        nonce = http.new_nonce()
        try:
            async with self._client(endpoint).stream(
                "GET",
                endpoint.base_url + EVENTS_STREAM,
                params={} if after is None else {"after": after},
                headers=http.call_headers(endpoint, nonce),
                timeout=http.stream_timeout(STREAM_SILENCE_SECONDS),
            ) as response:
                http.check_proof(endpoint, nonce, response)
                if response.status_code != 200:
                    with anyio.fail_after(self._timeout):
                        envelope_data(response.status_code, await http.read_whole(response))
                position = 0
                async for line in http.lines(response):
                    if line.startswith("id: "):
                        position = int(line[4:])
                    elif line == "event: ready":
                        yield position
                    elif line.startswith('data: {"'):
                        yield Change.model_validate_json(line[6:])
        except (http.TransportError, TimeoutError) as error:
            await self._lost(endpoint)
            raise Unreachable(f"The event stream broke ({type(error).__name__})") from error
        except (Unreachable, NotAuthorised):
            await self._lost(endpoint)
            raise
        except (ValidationError, ValueError) as error:
            raise ContractBroken("The event stream could not be read") from error

    async def _attempt(self, endpoint: Endpoint, call: Call[Any]) -> Answer:
        async with self._turns:
            response = await http.exchange(
                self._client(endpoint), endpoint, call.method, call.path, query=call.query, body=call.body,
                headers=call.headers, seconds=self._timeout if call.seconds is None else call.seconds,
            )  # fmt: skip
        return Answer(response.status_code, response.headers, response.content)

    def _client(self, endpoint: Endpoint) -> http.Client:
        if self._http is None:
            self._http = http.new_client(
                abroad=endpoint.is_abroad, user_agent=self._user_agent, transport=self._transport
            )
        return self._http

    def _pause(self, attempt: int) -> float:
        return pause(self._retry_delay, attempt, MAX_PAUSE_SECONDS)

    async def _lost(self, endpoint: Endpoint) -> bool:
        """Find the backend again, once for all who noticed; whether it is somewhere else now."""
        if self._endpoint is endpoint:
            self._endpoint = await self._resolver.endpoint(endpoint)
        return self._endpoint is not endpoint
