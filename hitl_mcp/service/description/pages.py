"""Serves the description: `/openapi.json`, `/docs` and `/llms.txt`. No credential is needed to read it.

The pages' script comes with the package fastapi-offline, which carries Swagger UI; nothing is loaded from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hitl_mcp.service.web.files import FixedText

Json = dict[str, Any]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_OURS = Path(__file__).parent / "static"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_VENDORED = frozenset({"swagger-ui-bundle.js", "swagger-ui.css"})
_FILES = _VENDORED | {"docs.js", "docs.css"}


def _page(content: bytes, media_type: str) -> FixedText:
    return FixedText(content, media_type, _HEADERS)


def description_routes(raw: Callable[[], Json], address: str) -> list[Route]:
    """The routes.

    Args:
        raw: makes the framework's own document.
        address: where this service is reached.
    """

    @cache
    def document() -> Json:
        from hitl_mcp.service.description.document import complete  # only whoever reads it pays for its models

        return complete(raw(), address)

    @cache
    def described() -> FixedText:
        return _page(to_json(document()), "application/json")

    @cache
    def guide() -> FixedText:
        from hitl_mcp.service.description.guide import write

        return _page(write(document()).encode(), "text/plain")

    async def openapi(request: Request) -> Response:
        return described().answer(request)

    async def llms(request: Request) -> Response:
        return guide().answer(request)

    async def docs(request: Request) -> Response:
        return _file("docs.html").answer(request)

    async def file(request: Request) -> Response:
        name = str(request.path_params["name"])
        if name not in _FILES:
            raise HTTPException(404)
        return _file(name).answer(request)

    return [
        Route("/openapi.json", openapi),
        Route("/llms.txt", llms),
        Route("/docs", docs),
        Route("/docs/{name}", file),
    ]


@cache
def _file(name: str) -> FixedText:
    folder = _vendor() if name in _VENDORED else _OURS
    return _page((folder / name).read_bytes(), _TYPES[Path(name).suffix])


def _vendor() -> Path:
    """The folder with Swagger UI, found without running the package's own code."""
    spec = find_spec("fastapi_offline")
    if spec is None or spec.origin is None:
        raise HTTPException(404, "Swagger UI is not installed; /openapi.json has the same content")
    return Path(spec.origin).parent / "static"
