"""Repeat a function that talks to the backend while that can still help.

    @retry_with_backoff(max_retries=3)
    def ask() -> Created:
        return client.create_request(...)

Every attempt of one call carries the same idempotency keys: a question that came through although no answer came back
is found again, not asked twice.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast, overload

import anyio

from hitl_mcp.backoff import drawn, grown
from hitl_mcp.errors import HITLError, ServiceFault, ServiceNotStarted, TooManyRequests, Unreachable
from hitl_mcp.sdk import once

P = ParamSpec("P")
R = TypeVar("R")

_PASSING = {500, 502, 503, 504}


@overload
def retry_with_backoff(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def retry_with_backoff(
    max_retries: int = 3, retry_delay: float = 1.0, max_delay: float = 60.0
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def retry_with_backoff(max_retries: Any = 3, retry_delay: float = 1.0, max_delay: float = 60.0) -> Any:
    """A decorator for functions and coroutine functions; `@retry_with_backoff` alone takes the defaults.

    Only what may pass by itself is repeated: nobody answered, a fault of the service, a used-up budget that comes back
    soon. Everything else is raised at once, and what the last attempt raised is raised as it is.

    Args:
        max_retries: attempts after the first.
        retry_delay: seconds; the pause before the n-th retry is drawn from 0 to `retry_delay * 2 ** (n - 1)`, so that
            many clients do not come back at one moment. What the service names (`retry_after`, `reset_at`) is added.
        max_delay: the most seconds one draw can be. A service that wants a longer wait than this is not waited for.

    Raises: ValueError for a negative argument, TypeError for a generator function (it fails only while it is read).
    """
    if callable(max_retries):
        return retry_with_backoff()(cast("Callable[..., Any]", max_retries))
    retries = int(max_retries)
    if min(retries, retry_delay, max_delay) < 0:
        raise ValueError("max_retries, retry_delay and max_delay must not be negative")

    def repeated(function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("retry_with_backoff cannot repeat a generator; decorate a function that returns its result")

        def pause(error: HITLError, attempt: int) -> float:
            longest = grown(retry_delay, attempt, max_delay)
            wait = pause_after(error, longest, max_delay, datetime.now(UTC)) if attempt < retries else None
            if wait is None:
                raise error
            return wait

        @wraps(function)
        def sync_call(*args: Any, **kwargs: Any) -> Any:
            seed, attempt = once.new_call(), 0
            while True:
                try:
                    with once.attempt(seed):
                        return function(*args, **kwargs)
                except HITLError as error:
                    wait = pause(error, attempt)
                attempt += 1
                time.sleep(wait)

        @wraps(function)
        async def async_call(*args: Any, **kwargs: Any) -> Any:
            seed, attempt = once.new_call(), 0
            while True:
                try:
                    with once.attempt(seed):
                        return await function(*args, **kwargs)
                except HITLError as error:
                    wait = pause(error, attempt)
                attempt += 1
                await anyio.sleep(wait)

        return async_call if inspect.iscoroutinefunction(function) else sync_call

    return repeated


def pause_after(error: HITLError, longest: float, max_delay: float, now: datetime) -> float | None:
    """Seconds to wait after an error, or None when another attempt cannot help.

    Args:
        error: what the attempt ended with.
        longest: the upper end of the random part, in seconds.
        max_delay: the longest wait, in seconds, that the service may ask for.
        now: for comparing with `reset_at`, with a zone.
    """
    match error:
        case TooManyRequests():
            named = _until_reset(error, now)
            if named is None:
                return None
        case ServiceFault() if error.status in _PASSING:
            named = error.retry_after or 0.0
        case Unreachable() if not isinstance(error, ServiceNotStarted):
            named = 0.0
        case _:
            return None
    return max(0.0, named) + drawn(0, longest) if named <= max_delay else None


def _until_reset(error: TooManyRequests, now: datetime) -> float | None:
    if error.retry_after is not None:
        return error.retry_after
    reset = error.reset_at
    if reset is None:
        return None
    return ((reset if reset.tzinfo else reset.replace(tzinfo=UTC)) - now).total_seconds()
