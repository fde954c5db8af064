"""The few static files, read once. Types are ours: a system's registry may call a script plain text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    etag: str


def file_route(path: str, name: str) -> Route:
    """Serves one file of the folder under another address, as a service worker must be."""
    file = _read(_FOLDER / name)

    async def endpoint(request: Request) -> Response:
        return _served(request, file)

    return Route(path, endpoint)


def static_route(names: frozenset[str] | None = None) -> Route:
    """Serves `/static/<name>`.

    Args:
        names: limits what is served; by default everything in the folder.
    """
    files = {
        path.name: _read(path)
        for path in _FOLDER.iterdir()
        if path.suffix in _TYPES and (names is None or path.name in names)
    }

    async def endpoint(request: Request) -> Response:
        file = files.get(request.path_params["name"])
        if file is None:
            raise HTTPException(404)
        return _served(request, file)

    return Route("/static/{name}", endpoint)


def _served(request: Request, file: _File) -> Response:
    headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media_type)


def _read(path: Path) -> _File:
    content = path.read_bytes()
    return _File(content, _TYPES[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:20]}"')
