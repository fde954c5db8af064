"""Older and shorter paths of the same operations, turned into the current ones (contract section 1.1).

`/v1/loops/...` and `/v1/requests/...` are the reference pages' form of August 2025; `/loops/...` and
`/requests/{id}/response|status` are what callers of the first generation send when their base has no `/v1`. A slash at
the end is left out: a redirect would lose what is posted, or the key, with many clients.
"""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Receive, Scope, Send

_OLDER = re.compile(r"(?:/v1)?/(?=(?:loops|requests|templates|webhooks)(?:/|$))")


class Prefixes:
    """Serves every operation at both prefixes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        path = scope["path"]
        if not path.startswith("/v1/api/") and (found := _OLDER.match(path)):
            path = f"/v1/api/{path[found.end() :]}"
        if path.startswith("/v1/"):
            path = path.rstrip("/")
        if path != scope["path"]:
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await self._app(scope, receive, send)
