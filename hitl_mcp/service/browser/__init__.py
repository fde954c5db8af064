"""The class for web pages: an ES module and its types, served to the operator's list of origins (compatibility 5)."""

from __future__ import annotations

from pathlib import Path

from starlette.routing import Route

from hitl_mcp.service.web.files import FixedText

MODULE = "/v1/browser/hitl.js"
TYPES = "/v1/browser/hitl.d.ts"
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
_FOLDER = Path(__file__).parent


def browser_routes() -> list[Route]:
    """Where a page finds both. No credential is needed: there is no secret in them."""
    # no file of ours is called .d.ts: the packer of MCP bundles leaves such files out
    files = {MODULE: "hitl.js", TYPES: "hitl_types.ts"}
    return [
        Route(path, FixedText((_FOLDER / name).read_bytes(), "text/javascript", _HEADERS).answer)
        for path, name in files.items()
    ]
