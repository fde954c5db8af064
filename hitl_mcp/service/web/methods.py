"""What may be asked of an address, said whole where a method is refused (RFC 9110, section 15.5.6).

The framework names the methods of the first operation at an address; there may be several.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHOD_NOT_ALLOWED = 405


class AllowedMethods:
    """Completes the header `Allow`.

    Args:
        app: the API.
        routes: its operations.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._routes = [route for route in routes if isinstance(route, Route)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""

        async def completed(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == METHOD_NOT_ALLOWED:
                MutableHeaders(scope=message)["Allow"] = ", ".join(sorted(self._methods(scope)))
            await send(message)

        await self._app(scope, receive, completed)

    def _methods(self, scope: Scope) -> set[str]:
        there = (route.methods or () for route in self._routes if route.path_regex.match(scope["path"]))
        return {method for methods in there for method in methods}
