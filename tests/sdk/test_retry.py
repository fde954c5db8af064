"""A function is repeated while that can help, and every attempt asks with the same keys (D12)."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import assert_type

import anyio
import pytest

from hitl_mcp.errors import (
    BadRequest,
    BatchFailed,
    Conflict,
    ContractBroken,
    HITLError,
    NotAllowed,
    NotAuthorised,
    NotConfigured,
    NotFound,
    NotSupported,
    ReviewNotFound,
    ServiceFault,
    ServiceNotStarted,
    TimedOut,
    TooManyRequests,
    Unreachable,
    refusal,
)
from hitl_mcp.retry import pause_after, retry_with_backoff
from hitl_mcp.sdk.once import attempt_key

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PASSING = [
    Unreachable("nobody answered"),
    TimedOut("no answer in time"),
    *[refusal(status, "not now") for status in (500, 502, 503, 504)],
    TooManyRequests("later", {"retry_after": 0}),
]
LASTING = [
    *[refusal(status, "no") for status in (400, 401, 403, 404, 409, 413, 422, 501, 505)],
    BadRequest("no"),
    NotAuthorised("no"),
    NotAllowed("no"),
    NotFound("no"),
    ReviewNotFound("no"),
    Conflict("no"),
    NotSupported("update_request", "cloud", "Ask anew."),
    ContractBroken("no"),
    NotConfigured("no"),
    BatchFailed([]),
    ServiceNotStarted("no"),
    TooManyRequests("nobody knows until when"),
    TooManyRequests("much later", {"retry_after": 3000}),
    ServiceFault("much later", {"retry_after": 3000}),
]


class Failing:
    """Fails with each error in turn, then answers with the number of its calls; notes the keys of three creates."""

    def __init__(self, *errors: HITLError) -> None:
        self.errors = list(errors)
        self.keys: list[list[str | None]] = []

    def __call__(self) -> int:
        self.keys.append([attempt_key("create"), attempt_key("create"), attempt_key("other")])
        if self.errors:
            raise self.errors.pop(0)
        return len(self.keys)

    async def later(self) -> int:
        await anyio.lowlevel.checkpoint()
        return self()


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_may_pass_is_tried_again(error: HITLError) -> None:
    work = Failing(error, error)
    assert retry_with_backoff(max_retries=3, retry_delay=0)(work.__call__)() == 3


@pytest.mark.parametrize("error", LASTING, ids=repr)
def test_what_cannot_pass_is_raised_at_once(error: HITLError) -> None:
    work = Failing(error)
    with pytest.raises(HITLError) as caught:
        retry_with_backoff(max_retries=3, retry_delay=0)(work.__call__)()
    assert caught.value is error
    assert len(work.keys) == 1


def test_the_last_error_is_raised_as_it_is_and_what_is_not_ours_too() -> None:
    errors = [Unreachable(str(number)) for number in range(5)]
    work = Failing(*errors)
    with pytest.raises(Unreachable) as caught:
        retry_with_backoff(2, 0)(work.__call__)()
    assert caught.value is errors[2]
    assert len(work.keys) == 3

    @retry_with_backoff(retry_delay=0)
    def broken() -> None:
        raise ConnectionError("no error of ours")

    with pytest.raises(ConnectionError):
        broken()


@pytest.mark.anyio
async def test_a_coroutine_function_is_repeated_the_same_way() -> None:
    work = Failing(Unreachable("first"), ServiceFault("second"))
    assert await retry_with_backoff(max_retries=2, retry_delay=0)(work.later)() == 3
    assert len({tuple(keys) for keys in work.keys}) == 1
    lasting = Failing(NotFound("no"))
    with pytest.raises(NotFound):
        await retry_with_backoff(max_retries=2, retry_delay=0)(lasting.later)()
    assert len(lasting.keys) == 1


def test_it_works_without_parentheses_and_keeps_name_arguments_and_types() -> None:
    @retry_with_backoff
    def ask(text: str, *, times: int = 1) -> str:
        """Asks."""
        return text * times

    @retry_with_backoff(max_retries=1)
    def count(number: int) -> int:
        return number

    assert_type(ask("a", times=2), str)
    assert_type(count(1), int)
    assert (ask("a", times=2), count(1)) == ("aa", 1)
    assert (ask.__name__, ask.__doc__) == ("ask", "Asks.")


def test_a_method_is_repeated_with_its_object() -> None:
    class Desk:
        calls = 0

        @retry_with_backoff(retry_delay=0)
        def ask(self) -> int:
            self.calls += 1
            if self.calls < 2:
                raise Unreachable("once")
            return self.calls

    assert Desk().ask() == 2


def test_pauses_grow_from_nothing_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    for _ in range(50):
        retry_with_backoff(max_retries=4, retry_delay=1, max_delay=3)(Failing(*[Unreachable("no")] * 4).__call__)()
    for place, bound in enumerate((1, 2, 3, 3)):
        draws = slept[place::4]
        assert len(draws) == 50
        assert max(draws) <= bound
        assert min(draws) < bound / 2 < max(draws)


def test_a_service_that_names_a_time_is_waited_for_that_long() -> None:
    until = (NOW + timedelta(seconds=40)).isoformat()
    naive = (NOW + timedelta(seconds=40)).replace(tzinfo=None).isoformat()
    for details in ({"retry_after": 40}, {"reset_at": until}, {"reset_at": naive}):
        waits = [pause_after(TooManyRequests("later", details), 2, 60, NOW) for _ in range(50)]
        assert all(wait is not None and 40 <= wait <= 42 for wait in waits)
        assert pause_after(TooManyRequests("later", details), 2, 39, NOW) is None
    assert (pause_after(ServiceFault("busy", {"retry_after": 7}), 0, 60, NOW)) == 7
    past = TooManyRequests("later", {"reset_at": (NOW - timedelta(hours=1)).isoformat()})
    assert pause_after(past, 0, 60, NOW) == 0


def test_every_attempt_of_a_call_asks_with_the_same_keys_and_another_call_with_others() -> None:
    first, second = Failing(*[Unreachable("no")] * 3), Failing(Unreachable("no"))
    retry_with_backoff(retry_delay=0)(first.__call__)()
    retry_with_backoff(retry_delay=0)(second.__call__)()
    assert len(first.keys) == 4
    assert len({tuple(keys) for keys in first.keys}) == 1
    every = [*first.keys[0], *second.keys[0]]
    assert len(set(every)) == 6  # no two questions share a key
    assert all(key is not None and 16 <= len(key) <= 200 and key.isascii() for key in every)


def test_outside_of_a_repeated_call_there_is_no_key() -> None:
    assert attempt_key("create") is None
    with pytest.raises(Unreachable):
        retry_with_backoff(max_retries=0)(Failing(Unreachable("no")).__call__)()
    assert attempt_key("create") is None


def test_a_call_within_a_call_keeps_its_keys_when_either_is_repeated() -> None:
    first, second = Failing(Unreachable("within")), Failing()

    @retry_with_backoff(retry_delay=0)
    def outer() -> None:
        retry_with_backoff(retry_delay=0)(first.__call__)()
        retry_with_backoff(retry_delay=0)(second.__call__)()
        if len(second.keys) < 3:
            raise Unreachable("outer")

    outer()
    assert (len(first.keys), len(second.keys)) == (4, 3)
    assert len({tuple(keys) for keys in first.keys}) == 1
    assert len({tuple(keys) for keys in second.keys}) == 1
    assert not set(first.keys[0]) & set(second.keys[0])


@pytest.mark.anyio
async def test_calls_side_by_side_share_no_key() -> None:
    works = [Failing(Unreachable("no"), Unreachable("no")) for _ in range(10)]
    async with anyio.create_task_group() as tasks:
        for work in works:
            tasks.start_soon(retry_with_backoff(retry_delay=0)(work.later))
    assert all(len(work.keys) == 3 and len({tuple(keys) for keys in work.keys}) == 1 for work in works)
    assert len({key for work in works for key in work.keys[0]}) == 30


def test_what_cannot_be_repeated_is_refused_when_it_is_decorated() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        retry_with_backoff(max_retries=-1)

    def stream() -> object:
        yield 1

    with pytest.raises(TypeError, match="generator"):
        retry_with_backoff(stream)
