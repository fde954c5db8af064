"""The background process `python -m hitl_mcp service`: started by clients, never by hand.

Its first line on stdout tells the starter that it is ready, or in words why it cannot run; then it lets go of every
handle it inherited.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import logging.handlers
import os
import sys
from pathlib import Path

import anyio

from hitl_mcp.contract.local import unusable
from hitl_mcp.errors import HITLError
from hitl_mcp.settings import read_settings

LOG_BYTES, LOG_FILES = 2_000_000, 3
SWITCH_SECONDS = 0.001


def main() -> int:
    """Run the service until it ends; the exit code."""
    if hasattr(os, "fork") and os.fork() > 0:
        os._exit(0)  # the starter must not be left with a zombie
    try:
        settings = read_settings()
    except HITLError as error:
        _say({"error": str(error)})
        return 2
    try:
        _log_to(settings.data_dir / "service.log", settings.log_level)
    except OSError as error:
        _say({"error": unusable(settings.data_dir, error)})
        return 2
    # the event loop and the writer's thread hand over often; the default of 5 ms would be most of a decision's way
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        gc.disable()  # while a thousand modules are loaded it takes a tenth of the start, and there is nothing to free
        from hitl_mcp.service.run import run_until_told

        gc.freeze()
        gc.enable()
        anyio.run(
            lambda: run_until_told(settings, lambda _: _say({"ready": True}), hosted_by="background"),
            backend_options={"use_uvloop": sys.platform != "win32"},
        )
    except HITLError as error:
        logging.getLogger(__name__).error("%s", error)
        _say({"error": str(error)})
        return 2
    except BaseException as error:  # boundary: whatever it was, the log must say so
        logging.getLogger(__name__).exception("The service ended by a fault")
        _say({"error": f"The local service met a fault ({type(error).__name__}: {error}). See its log service.log."})
        return 1
    return 0


_said = False


def _say(message: dict[str, object]) -> None:
    """Tell the starter once, then let go of its pipe."""
    global _said
    if _said:
        return
    _said = True
    with contextlib.suppress(OSError):  # the starter may be gone; others find us by the state file
        os.write(1, json.dumps(message).encode() + b"\n")
    nothing = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1, 2):
        os.dup2(nothing, handle)
    os.close(nothing)


def _log_to(path: Path, level: str) -> None:
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
