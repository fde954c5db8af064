"""The fourteen operations (section 2), by method and path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.cloud.simulated import loops, requests
from tests.cloud.simulated.state import State
from tests.cloud.simulated.wire import Call, Refused, Reply


@dataclass(frozen=True)
class Operation:
    """One row of the table in section 2."""

    method: str
    path: str
    run: Callable[[State, Call], Reply]

    @property
    def name(self) -> str:
        """What a `Fault` calls it."""
        return self.run.__name__

    def match(self, path: str) -> dict[str, str] | None:
        """The ids in a path of this shape, or None."""
        wanted, given = self.path.split("/"), path.split("/")
        if len(wanted) != len(given):
            return None
        found: dict[str, str] = {}
        for name, part in zip(wanted, given, strict=True):
            if name.startswith("{") and part:
                found[name.strip("{}")] = part
            elif name != part:
                return None
        return found


OPERATIONS = (
    Operation("GET", "/v1/test", loops.check_key),
    Operation("POST", "/v1/api/loops", loops.create_loop),
    Operation("GET", "/v1/api/loops", loops.list_loops),
    Operation("GET", "/v1/api/loops/{loop_id}", loops.get_loop),
    Operation("PUT", "/v1/api/loops/{loop_id}", loops.update_loop),
    Operation("DELETE", "/v1/api/loops/{loop_id}", loops.delete_loop),
    Operation("GET", "/v1/api/loops/{loop_id}/members", loops.list_members),
    Operation("DELETE", "/v1/api/loops/{loop_id}/members/{user_id}", loops.remove_member),
    Operation("POST", "/v1/api/loops/{loop_id}/requests", requests.create_request),
    Operation("GET", "/v1/api/loops/{loop_id}/requests", requests.list_loop_requests),
    Operation("GET", "/v1/api/requests", requests.list_requests),
    Operation("GET", "/v1/api/requests/{request_id}", requests.get_request),
    Operation("DELETE", "/v1/api/requests/{request_id}", requests.cancel_request),
    Operation("POST", "/v1/api/requests/{request_id}/feedback", requests.add_feedback),
)


def find(method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
    """The operation a call means, and the ids in its path."""
    for operation in OPERATIONS:
        ids = operation.match(path)
        if operation.method == method and ids is not None:
            return operation, ids
    return None


def nothing_here(path: str) -> Refused:
    """The refusal of a call that means no operation. The words are undocumented; what matters is the envelope."""
    if any(operation.match(path) is not None for operation in OPERATIONS):
        return Refused(405, "Method not allowed")
    return Refused(404, "Endpoint not found")
