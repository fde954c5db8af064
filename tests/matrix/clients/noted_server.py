"""Our stdio server, noting in a file that this copy was started: `noted_server.py FILE`."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

with Path(sys.argv.pop(1)).open("a", encoding="utf-8") as file:
    file.write(f"{os.getpid()}\n")
runpy.run_module("hitl_mcp", run_name="__main__", alter_sys=True)
