"""One exception tree for both sides of the wire.

The service raises a `Refused` and renders it as an envelope; the client reads the envelope and raises the same
class. "Nobody decided in time" and "a person said no" are results, never exceptions.

    HITLError
    ├── NotConfigured         a setting is missing, contradictory or not supported yet
    ├── Unreachable           nobody answered; nothing is known about what was asked
    │   └── ServiceNotStarted the local service could not be started; says why and what to do
    ├── ContractBroken        an answer came that cannot be read; it is never taken for a decision
    ├── AnswerRejected        a value does not fit its response type: .field, .reason
    └── Refused               the service said no: .status, .message, .details
        ├── BadRequest        400, 413, 422
        ├── NotAuthorised     401
        ├── NotAllowed        403
        ├── NotFound          404
        ├── Conflict          409: somebody was first, or the request changed meanwhile
        ├── TooManyRequests   429: .details may say when to come back
        └── ServiceFault      5xx: the service could not do it; nothing was decided
"""

from __future__ import annotations

from typing import Any, ClassVar, cast


class HITLError(Exception):
    """Base of every error this package raises on purpose."""


class NotConfigured(HITLError):
    """A setting is missing, contradictory or not supported yet; the message names it."""


class Unreachable(HITLError):
    """Nobody answered. Nothing is known about what was asked."""


class ServiceNotStarted(Unreachable):
    """The local service could not be started; the message says why and what to do."""


class ContractBroken(HITLError):
    """An answer came that cannot be read. It is never taken for a decision."""


class AnswerRejected(HITLError):
    """A value does not fit its response type.

    Args:
        field: where the fault is, as a dotted path (`response_config.options`).
        reason: one sentence that says what would be right.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class Refused(HITLError):
    """The service said no.

    Args:
        message: the envelope's `msg`.
        details: the envelope's `data`; untyped in the contract, so anything JSON can hold.
        status: the HTTP status; by default the class's own.
    """

    default_status: ClassVar[int] = 400

    def __init__(self, message: str, details: Any = None, *, status: int | None = None) -> None:
        super().__init__(message if details is None else f"{message}: {_shown(details)}")
        self.message = message
        self.details = details
        self.status = status or self.default_status

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the same call may succeed, where the service says so."""
        known = cast("dict[str, Any]", self.details) if isinstance(cast("object", self.details), dict) else {}
        value = known.get("retry_after")
        return float(value) if isinstance(value, int | float) else None


class BadRequest(Refused):
    """What was sent cannot be accepted as it is."""


class NotAuthorised(Refused):
    """No credential, or one that is not known."""

    default_status = 401


class NotAllowed(Refused):
    """A known credential that may not do this."""

    default_status = 403


class NotFound(Refused):
    """There is no such thing, or not for this credential."""

    default_status = 404


class Conflict(Refused):
    """Somebody was first, or the request changed; `details` says who, when and what."""

    default_status = 409


class TooManyRequests(Refused):
    """The caller's budget is used up for now."""

    default_status = 429


class ServiceFault(Refused):
    """The service could not do it. Nothing was decided by this call."""

    default_status = 503


_BY_STATUS: dict[int, type[Refused]] = {
    cls.default_status: cls for cls in (BadRequest, NotAuthorised, NotAllowed, NotFound, Conflict, TooManyRequests)
}


def refusal(status: int, message: str, details: Any = None) -> Refused:
    """The error that stands for an HTTP status."""
    cls = ServiceFault if status >= 500 else _BY_STATUS.get(status, BadRequest)
    return cls(message, details, status=status)


def _shown(details: Any) -> str:
    if isinstance(details, dict):
        known = cast("dict[str, Any]", details)
        if "issue" in known:
            return f"{known.get('field', '')} {known['issue']}".strip()
    return str(cast("object", details))
