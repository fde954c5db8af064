"""A desktop notification, where the system has one."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from desktop_notifier import DesktopNotifier

log = logging.getLogger(__name__)


class Desktop:
    """Shows notifications through the desktop's own service; where there is none, says so once in the log.

    Args:
        has_bus: whether a session bus is announced; needed on Linux only.
    """

    def __init__(self, *, has_bus: bool) -> None:
        self._working = sys.platform in ("win32", "darwin") or has_bus
        self._notifier: DesktopNotifier | None = None

    async def show(self, title: str, text: str) -> bool:
        """Show one notification; False when this machine cannot."""
        if not self._working:
            return False
        try:
            if self._notifier is None:
                from desktop_notifier import DesktopNotifier

                self._notifier = DesktopNotifier(app_name="hitl_mcp")
            await self._notifier.send(title=title, message=text)
        except Exception as error:  # boundary: three desktops' libraries below, and a question must never fail on them
            log.warning("Desktop notifications do not work here: %s", error)
            self._working = False
            return False
        return True
