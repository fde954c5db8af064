"""The errors of `hitl_mcp.errors` under the names that Python programmers look for. They are the same classes."""

from __future__ import annotations

from hitl_mcp import errors
from hitl_mcp.errors import HITLError

AuthenticationError = errors.NotAuthorised
BatchError = errors.BatchFailed
CallTimeoutError = errors.TimedOut
ConfigurationError = errors.NotConfigured
ConflictError = errors.Conflict
InvalidAnswerError = errors.AnswerRejected
InvalidRequestError = errors.BadRequest
NotFoundError = errors.NotFound
NotSupportedError = errors.NotSupported
PermissionDeniedError = errors.NotAllowed
RateLimitError = errors.TooManyRequests
RefusedError = errors.Refused
ReviewNotFoundError = errors.ReviewNotFound
ServerError = errors.ServiceFault
ServiceNotStartedError = errors.ServiceNotStarted
UnreachableError = errors.Unreachable
UnreadableAnswerError = errors.ContractBroken

__all__ = [
    "AuthenticationError",
    "BatchError",
    "CallTimeoutError",
    "ConfigurationError",
    "ConflictError",
    "HITLError",
    "InvalidAnswerError",
    "InvalidRequestError",
    "NotFoundError",
    "NotSupportedError",
    "PermissionDeniedError",
    "RateLimitError",
    "RefusedError",
    "ReviewNotFoundError",
    "ServerError",
    "ServiceNotStartedError",
    "UnreachableError",
    "UnreadableAnswerError",
]
