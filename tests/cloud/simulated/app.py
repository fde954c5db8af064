"""The ASGI application: who calls (1.2), what it costs (1.4), what is asked (section 2), and what goes wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import anyio
from starlette.requests import Request as HTTPRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tests.cloud.simulated.faults import Dropped, Fault
from tests.cloud.simulated.limits import HOUR, Usage, count, usage
from tests.cloud.simulated.operations import Operation, find, nothing_here
from tests.cloud.simulated.records import Key
from tests.cloud.simulated.state import State
from tests.cloud.simulated.wire import Call, Refused, Reply, failure

PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>nginx</body></html>"


@dataclass(frozen=True)
class Received:
    """One line of the ledger: a call that came over HTTP.

    Attributes:
        time: seconds since 1970.
        key: the secret it came with, if the cloud knows it.
        operation: its name, or None where there is no such operation.
        status: of the reply, or None where the connection was dropped.
    """

    time: float
    key: str | None
    method: str
    path: str
    query: Mapping[str, str]
    operation: str | None
    status: int | None


class Application:
    """ASGI over the state. Everything between the body's arrival and the reply happens at once, under the lock."""

    def __init__(self, state: State, lock: threading.RLock) -> None:
        self.state, self._lock = state, lock
        self.faults: list[Fault] = []
        self.calls: list[Received] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        request = HTTPRequest(scope, receive)
        content = await request.body()
        with self._lock:
            reply, wait = self._receive(request, content)
        await anyio.sleep(wait)
        if reply is None:
            raise Dropped
        await _response(reply)(scope, receive, send)

    def _receive(self, request: HTTPRequest, content: bytes) -> tuple[Reply | None, float]:
        """The reply, or None for none, and the seconds until then."""
        state = self.state
        state.settle()
        method, path, query = request.method, request.url.path, dict(request.query_params)
        found = find(method, path)
        key, fault = None, None
        try:
            key = _authenticated(state, request)
            if not count(key, state.limit, state.manners, state.now):
                reply = _used(state, key).refusal(state.manners, state.now)
            elif found is None:
                raise nothing_here(path)
            else:
                operation, ids = found
                fault = self._fault(operation.name)
                reply = self._run(operation, Call(key, ids, query, content), fault)
        except Refused as refused:
            reply = failure(refused)
        if reply is not None:
            told = (_used(state, key) if key else _nobody(state)).headers(state.manners, state.now)
            reply = replace(reply, headers=told | reply.headers)
        secret, name, status = key and key.secret, found and found[0].name, reply and reply.status
        self.calls.append(Received(state.now, secret, method, path, query, name, status))
        return reply, fault.wait if fault else 0

    def _fault(self, operation: str) -> Fault | None:
        """The first fault that matches; it is used up by this call."""
        for place, fault in enumerate(self.faults):
            if fault.on in (None, operation):
                if fault.times == 1:
                    del self.faults[place]
                elif fault.times is not None:
                    self.faults[place] = replace(fault, times=fault.times - 1)
                return fault
        return None

    def _run(self, operation: Operation, call: Call, fault: Fault | None) -> Reply | None:
        """One operation, spoilt or not. None: no reply."""
        if fault is None or fault.what == "slow":
            return operation.run(self.state, call)
        if fault.what == "limit":
            full = replace(_used(self.state, call.key), used=self.state.limit)
            return full.refusal(self.state.manners, self.state.now)
        if fault.effect == "done":
            _quietly(self.state, operation, call)
        elif fault.effect != "none":
            self.state.later(self.state.now + fault.effect, lambda: _quietly(self.state, operation, call))
        if fault.what == "drop":
            return None
        if fault.what == "html":
            return Reply(fault.status, PAGE.format(fault.status))
        if fault.what == "envelope":
            msg = "Internal server error" if fault.status == 500 else "Service temporarily unavailable"  # 1.5, 1.6
            return failure(Refused(fault.status, msg))
        return failure(Refused(200, "Internal server error"))


def _authenticated(state: State, request: HTTPRequest) -> Key:
    """The key of a call (1.2). Raises: Refused, with the words of 1.6."""
    header = request.headers.get("Authorization")
    if header is None:
        raise Refused(401, "Missing Authorization header")
    scheme, _, secret = header.strip().partition(" ")
    if scheme != "Bearer":
        raise Refused(401, "Invalid Authorization header format. Use 'Bearer <api_key>'")
    if not secret.strip():
        raise Refused(401, "Empty API key")
    key = state.keys.get(secret.strip())
    if key is None:
        raise Refused(401, "Invalid API key")
    if not key.active:
        raise Refused(401, "API key is inactive")
    return key


def _quietly(state: State, operation: Operation, call: Call) -> None:
    """An effect whose reply nobody gets."""
    with suppress(Refused):
        operation.run(state, call)


def _used(state: State, key: Key) -> Usage:
    return usage(key, state.limit, state.manners, state.now)


def _nobody(state: State) -> Usage:
    """The headers stand on every reply (1.4), also where no key is known; what they say then is undocumented."""
    return Usage(state.limit, 0, (state.now // HOUR + 1) * HOUR)


def _response(reply: Reply) -> Response:
    if isinstance(reply.body, str):
        return Response(reply.body, reply.status, reply.headers, "text/html")
    return Response(json.dumps(reply.body), reply.status, reply.headers, "application/json")
