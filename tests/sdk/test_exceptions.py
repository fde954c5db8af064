"""The names that Python programmers look for are the very classes that are raised."""

from __future__ import annotations

import inspect

import pytest

from hitl_mcp import errors, exceptions

NAMES = {
    "AuthenticationError": errors.NotAuthorised,
    "BatchError": errors.BatchFailed,
    "CallTimeoutError": errors.TimedOut,
    "ConfigurationError": errors.NotConfigured,
    "ConflictError": errors.Conflict,
    "HITLError": errors.HITLError,
    "InvalidRequestError": errors.BadRequest,
    "NotFoundError": errors.NotFound,
    "NotSupportedError": errors.NotSupported,
    "PermissionDeniedError": errors.NotAllowed,
    "RateLimitError": errors.TooManyRequests,
    "ReviewNotFoundError": errors.ReviewNotFound,
    "ServerError": errors.ServiceFault,
    "UnreachableError": errors.Unreachable,
    "UnreadableAnswerError": errors.ContractBroken,
}


@pytest.mark.parametrize(("name", "raised"), NAMES.items())
def test_a_name_is_the_class_that_is_raised(name: str, raised: type[Exception]) -> None:
    assert getattr(exceptions, name) is raised
    assert name in exceptions.__all__


def test_every_error_has_a_name_here() -> None:
    raised = {error for _, error in inspect.getmembers(errors, inspect.isclass) if issubclass(error, errors.HITLError)}
    assert {getattr(exceptions, name) for name in exceptions.__all__} == raised


def test_the_oldest_sample_catches_a_missing_review_before_the_rest() -> None:
    with pytest.raises(exceptions.HITLError) as caught:
        raise errors.ReviewNotFound("There is no such review")
    assert isinstance(caught.value, exceptions.ReviewNotFoundError | exceptions.NotFoundError)


def test_what_a_program_acts_on_is_an_attribute() -> None:
    used_up = exceptions.RateLimitError("Rate limit exceeded", {"retry_after": 30, "reset_at": 1_767_225_600})
    assert (used_up.retry_after, used_up.reset_at and used_up.reset_at.isoformat()) == (30, "2026-01-01T00:00:00+00:00")
    assert exceptions.InvalidRequestError("No", {"field": "priority", "issue": "is none"}).field == "priority"
    assert exceptions.ConflictError("Decided", {"decided_by": {"name": "Ana"}}).decided_by == "Ana"
