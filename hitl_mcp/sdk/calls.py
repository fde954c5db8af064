"""One pure function per endpoint: what to send, and how to read the answer. No input or output happens here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import Change, Created, Loop, NewRequest, RequestFilter, ReviewRequest
from hitl_mcp.errors import ContractBroken

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request to the backend.

    Attributes:
        repeatable: sending it twice does no harm, so it is repeated when no answer came.
        read: turns the envelope's `data` into the result.
    """

    method: str
    path: str
    read: Callable[[Any], T]
    query: dict[str, str | int | float] = field(default_factory=dict[str, "str | int | float"])
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    repeatable: bool = True


def _reader(shape: Any, *path: str) -> Callable[[Any], Any]:
    @cache  # built at the first answer, because a stdio server must start fast
    def adapter() -> TypeAdapter[Any]:
        return TypeAdapter(shape)

    def read(data: Any) -> Any:
        try:
            for name in path:
                data = data[name]
            return adapter().validate_python(data)
        except (ValidationError, KeyError, TypeError) as error:
            raise ContractBroken(
                f"The backend's answer could not be read ({type(error).__name__}). It was not taken for a decision; "
                "check that hitl-mcp and the service have the same version."
            ) from error

    return read


_created = _reader(Created)
_request = _reader(ReviewRequest, "request")
_requests = _reader(list[ReviewRequest], "requests")
_loops = _reader(list[Loop], "loops")
_changes = _reader(list[Change], "changes")
_position = _reader(int, "position")


def list_loops() -> Call[list[Loop]]:
    """Every loop the key may ask in."""
    return Call("GET", routes.LOOPS, _loops)


def create_request(loop_id: str, new: NewRequest, once_key: str | None) -> Call[Created]:
    """Ask. With an idempotency key it can be repeated safely."""
    headers = {} if once_key is None else {routes.IDEMPOTENCY_KEY: once_key}
    body = new.model_dump(mode="json", exclude_unset=True)
    path = routes.LOOP_REQUESTS.format(loop_id=loop_id)
    return Call("POST", path, _created, body=body, headers=headers, repeatable=once_key is not None)


def get_request(request_id: str) -> Call[ReviewRequest]:
    """One request as it stands."""
    return Call("GET", routes.REQUEST.format(request_id=request_id), _request)


def list_requests(wanted: RequestFilter) -> Call[list[ReviewRequest]]:
    """The key's requests."""
    return Call("GET", routes.REQUESTS, _requests, query=wanted.model_dump(mode="json", exclude_none=True))


def cancel_request(request_id: str) -> Call[ReviewRequest]:
    """Withdraw."""
    return Call("DELETE", routes.REQUEST.format(request_id=request_id), _request, repeatable=False)


def deliver_request(request_id: str) -> Call[None]:
    """The agent has the result."""
    return Call("POST", routes.REQUEST_DELIVERED.format(request_id=request_id), lambda _: None)


def list_changes(after: int | None) -> Call[tuple[list[Change], int]]:
    """What happened after a position, and the position reached."""
    query = {} if after is None else {"after": after}
    return Call("GET", routes.EVENTS, lambda data: (_changes(data), _position(data)), query=dict(query))
