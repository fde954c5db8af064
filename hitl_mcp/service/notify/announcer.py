"""Makes the person notice a new question: the browser when no page shows it, and a desktop notification."""

from __future__ import annotations

import logging

from hitl_mcp.contract.models import Change
from hitl_mcp.errors import HITLError
from hitl_mcp.service import rows
from hitl_mcp.service.context import Services
from hitl_mcp.service.notify.desktop import Desktop

log = logging.getLogger(__name__)

IDLE_SECONDS = 60.0
SHOWN_CHARACTERS = 120


async def announce_questions(services: Services, desktop: Desktop | None, *, open_browser: bool) -> None:
    """Announce each new question until cancelled.

    Args:
        desktop: shows notifications, when wanted.
        open_browser: open the inbox when no page of it is live.
    """
    with services.feed.subscribed(None) as news:
        while not services.feed.closed:
            new = [change for change in await news.next_changes(IDLE_SECONDS) if change.type == "created"]
            if not new:
                continue
            try:
                await _announce(services, new, desktop, open_browser=open_browser)
            except (HITLError, OSError) as error:
                log.warning("A question could not be announced: %s", error)


async def _announce(services: Services, new: list[Change], desktop: Desktop | None, *, open_browser: bool) -> None:
    newest = new[-1]
    if open_browser and services.presence.pages == 0:
        await services.open_inbox(newest.request_id if len(new) == 1 else None)
    if desktop is not None:
        request = await services.store.read(lambda tx: rows.find_view(tx, newest.request_id))
        text = request.request_text if len(new) == 1 else f"{len(new)} questions, the newest: {request.request_text}"
        who = request.user_agent or "An agent"
        await desktop.show(f"{who} asks you", " ".join(text.split())[:SHOWN_CHARACTERS])
