"""What a server writes about each call: one line with an id that the caller gets too, and no secret.

Paths are shown without their query; an invitation's code is left out. Bodies, keys and cookies are never written.
"""

from __future__ import annotations

import contextvars
import logging
import re
import secrets
import sys
import time
from collections.abc import Sequence
from typing import Any

from pythonjsonlogger.json import JsonFormatter
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hitl_mcp.service.web.origins import Network, caller_of

log = logging.getLogger("hitl_mcp.access")

request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("request_id", default=None)
"""The id of the call that is being served; every line of the log carries it."""

_GIVEN = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SECRET_PARTS = re.compile(r"^/+(join|qr|sign-in/+link|loops/+[^/]+/+qr)/+[^/]+", re.IGNORECASE)


class LoggedRequests:
    """Gives each call an id, in the reply's `X-Request-Id` too, and writes one line when it has ended.

    Args:
        app: what is served.
        trusted: the operator's proxies, whose word on the caller's address is taken.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[Network] = ()) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        name = given.decode() if _GIVEN.fullmatch(given) else secrets.token_hex(8)
        token = request_id.set(name)
        started, status = time.perf_counter(), 0

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", name.encode())]
            await send(message)

        try:
            await self._app(scope, receive, told)
        finally:
            facts: dict[str, Any] = {
                "method": scope["method"],
                "path": _SECRET_PARTS.sub(r"/\1/...", scope["path"]),
                "status": status,
                "ms": round((time.perf_counter() - started) * 1000, 1),
                "client": caller_of(HTTPConnection(scope), self._trusted),
            }
            log.info("%(method)s %(path)s %(status)s", facts, extra=facts)
            request_id.reset(token)


class _WithId(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Add the id of the call that is being served."""
        if (name := request_id.get()) is not None:
            record.request_id = name
        return True


def log_as_json(level: str) -> None:
    """One JSON object a line on stderr: time, level, logger, message, request_id and facts."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            datefmt="%Y-%m-%dT%H:%M:%S%z",
        )
    )
    handler.addFilter(_WithId())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("mcp", "httpx2", "httpcore2", "asyncio", "alembic", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
