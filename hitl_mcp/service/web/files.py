"""Fixed texts with the tag by which a browser knows that it has them."""

from __future__ import annotations

import hashlib

from starlette.requests import Request
from starlette.responses import Response


class FixedText:
    """One text.

    Args:
        headers: of every answer.
    """

    def __init__(self, content: bytes, media_type: str, headers: dict[str, str]) -> None:
        self._content = content
        self._media_type = media_type
        self._headers = {**headers, "ETag": f'"{hashlib.sha256(content).hexdigest()[:20]}"'}

    def answer(self, request: Request) -> Response:
        """The text, or 304 where the browser has it."""
        if request.headers.get("if-none-match") == self._headers["ETag"]:
            return Response(status_code=304, headers=self._headers)
        return Response(self._content, headers=self._headers, media_type=self._media_type)
