"""One exception tree for both sides of the wire.

The service raises a `Refused` and renders it as an envelope; the client reads the envelope and raises the same
class. "Nobody decided in time" and "a person said no" are results, never exceptions.

    HITLError
    ├── NotConfigured         a setting is missing, contradictory or not supported yet
    ├── NotSupported          this kind of backend cannot do it: .operation, .backend
    ├── Unreachable           nobody answered; nothing is known about what was asked
    │   ├── TimedOut          no answer within the time the caller set
    │   └── ServiceNotStarted the local service could not be started; says why and what to do
    ├── ContractBroken        an answer came that cannot be read; it is never taken for a decision
    ├── AnswerRejected        a value does not fit its response type: .field, .reason
    ├── BatchFailed           some items of a batch failed: .results, item by item
    └── Refused               the service said no: .status, .message, .details
        ├── BadRequest        400, 413, 422: .field where it is known
        ├── NotAuthorised     401
        ├── NotAllowed        403
        ├── NotFound          404
        │   └── ReviewNotFound the oldest vocabulary's name for it
        ├── Conflict          409: somebody was first, or the request changed meanwhile: .decided_by
        ├── TooManyRequests   429: .reset_at says when to come back, where it is known
        └── ServiceFault      5xx: the service could not do it; nothing was decided

`hitl_mcp.exceptions` has the same classes under the names that Python programmers look for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, cast

MAX_WORDS = 10_000
"""What is shown of a refusal; its words come from outside, and may go to an agent."""


class HITLError(Exception):
    """Base of every error this package raises on purpose."""


class NotConfigured(HITLError):
    """A setting is missing, contradictory or not supported yet; the message names it."""


class NotSupported(HITLError):
    """This kind of backend cannot do it, and nothing was sent.

    Args:
        operation: what was wanted, in the client's own word (`update_request`).
        backend: `local`, `server` or `cloud`.
        instead: one sentence that says what to do.
    """

    def __init__(self, operation: str, backend: str, instead: str) -> None:
        super().__init__(f"{operation} is not supported by this backend ({backend}). {instead}")
        self.operation = operation
        self.backend = backend


class Unreachable(HITLError):
    """Nobody answered. Nothing is known about what was asked."""


class TimedOut(Unreachable):
    """No answer came within the time that the caller set."""


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


class BatchFailed(HITLError):
    """Some items of a batch failed; nothing that succeeded is undone.

    Args:
        results: one entry for each item, in order: its result, or the exception it failed with.
    """

    def __init__(self, results: Sequence[Any]) -> None:
        failed = [result for result in results if isinstance(result, Exception)]
        super().__init__(f"{len(failed)} of {len(results)} failed; the first: {failed[0] if failed else 'none'}")
        self.results = list(results)


class Refused(HITLError):
    """The service said no.

    Args:
        message: the envelope's `msg`.
        details: the envelope's `data`; untyped in the contract, so anything JSON can hold.
        status: the HTTP status; by default the class's own.
    """

    default_status: ClassVar[int] = 400

    def __init__(self, message: str, details: Any = None, *, status: int | None = None) -> None:
        self.message = _cut(message)
        super().__init__(self.message if details is None else _cut(f"{self.message}: {_shown(details)}"))
        self.details = details
        self.status = status or self.default_status

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the same call may succeed, where the service says so."""
        value = self._known.get("retry_after")
        try:
            seconds = float(value) if isinstance(value, int | float) else math.nan
        except OverflowError:
            return None
        return seconds if 0 <= seconds < math.inf else None

    @property
    def _known(self) -> dict[str, Any]:
        return cast("dict[str, Any]", self.details) if isinstance(cast("object", self.details), dict) else {}


class BadRequest(Refused):
    """What was sent cannot be accepted as it is."""

    @property
    def field(self) -> str | None:
        """The field at fault, where the service names one."""
        if named := self._known.get("field"):
            return str(named)
        found = re.match(r"[a-z][\w.]*", self.details) if isinstance(self.details, str) else None
        return found[0].rstrip(".") if found and ("_" in found[0] or "." in found[0]) else None


class NotAuthorised(Refused):
    """No credential, or one that is not known."""

    default_status = 401


class NotAllowed(Refused):
    """A known credential that may not do this."""

    default_status = 403


class NotFound(Refused):
    """There is no such thing, or not for this credential."""

    default_status = 404


class ReviewNotFound(NotFound):
    """There is no such review, or not for this credential."""


class Conflict(Refused):
    """Somebody was first, or the request changed; `details` says who, when and what."""

    default_status = 409

    @property
    def decided_by(self) -> str | None:
        """Who was first, where the service says so."""
        who = next(
            (self._known[name] for name in ("by", "decided_by", "response_by_user") if name in self._known), None
        )
        named: Any = cast("dict[str, Any]", who).get("name") if isinstance(who, dict) else who
        return str(named) if named else None


class TooManyRequests(Refused):
    """The caller's budget is used up for now."""

    default_status = 429

    @property
    def reset_at(self) -> datetime | None:
        """When the budget comes back, where the service says so."""
        value = self._known.get("reset_at")
        try:
            if isinstance(value, str):
                return datetime.fromisoformat(value)
            return None if value is None else datetime.fromtimestamp(float(value), UTC)
        except (TypeError, ValueError, OverflowError, OSError):
            return None


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


def _cut(text: str) -> str:
    return text if len(text) <= MAX_WORDS else f"{text[:MAX_WORDS]}…"


def _shown(details: Any) -> str:
    if isinstance(details, dict):
        known = cast("dict[str, Any]", details)
        if "issue" in known:
            return f"{known.get('field', '')} {known['issue']}".strip()
    return str(cast("object", details))
