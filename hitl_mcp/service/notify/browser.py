"""Opens the inbox in the machine user's browser, signed in, without a token in any argument, log or address (H15)."""

from __future__ import annotations

import logging
import os
import secrets
import time
import webbrowser
from html import escape
from pathlib import Path

import anyio
import anyio.to_thread

from hitl_mcp.contract.ids import is_id
from hitl_mcp.service import sign_in
from hitl_mcp.service.store import Store

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 5.0
FILE_SECONDS = 90.0

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<title>Opening hitl_mcp</title></head>
<body><form id="f" method="post" action="{origin}/sign-in"><input type="hidden" name="code" value="{code}">
<input type="hidden" name="next" value="{next}"><button>Open the hitl_mcp inbox</button></form>
<script>document.getElementById("f").submit()</script></body></html>
"""


class BrowserOpener:
    """Writes a 0600 page that posts a one-time code, and has the browser open it.

    Args:
        store: where the code is kept (its hash).
        user_id: who is signed in.
        origin: the inbox's origin.
        folder: a private folder for the page.
        usable: whether this machine can show a browser at all.
    """

    def __init__(self, store: Store, user_id: str, origin: str, folder: Path, *, usable: bool) -> None:
        self._store = store
        self._user_id = user_id
        self._origin = origin
        self._folder = folder
        self._usable = usable
        self._last = float("-inf")

    async def open(self, request_id: str | None) -> bool:
        """Open the inbox, or one request. False when no browser could be asked, or one was asked seconds ago."""
        now = time.monotonic()
        if not self._usable or now - self._last < SECONDS_BETWEEN:
            return False
        self._last = now
        code = await self._store.write(lambda tx: sign_in.new_code(tx, self._user_id))
        return await anyio.to_thread.run_sync(show, self._folder, self._origin, code, request_id)

    def clean(self) -> None:
        """Remove every page."""
        remove_pages(self._folder, 0.0)


def show(folder: Path, origin: str, code: str, request_id: str | None) -> bool:
    """Have this process's browser open the inbox, signed in by `code`; False when there is none.

    Args:
        folder: a private folder for the page that posts the code.
        origin: the inbox's origin.
        request_id: what to show first.
    """
    target = f"/requests/{request_id}" if request_id and is_id(request_id) else "/"
    folder.mkdir(mode=0o700, exist_ok=True)
    remove_pages(folder, FILE_SECONDS)
    path = folder / f"{secrets.token_hex(8)}.html"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(_PAGE.format(origin=escape(origin), code=escape(code), next=escape(target)))
    try:
        return webbrowser.open(path.as_uri())
    except (webbrowser.Error, OSError) as error:
        log.warning("The browser could not be opened: %s", error)
        return False


def remove_pages(folder: Path, older_than_seconds: float) -> None:
    """Remove pages whose code is dead."""
    for path in folder.glob("*.html"):
        if time.time() - path.stat().st_mtime >= older_than_seconds:
            path.unlink(missing_ok=True)
