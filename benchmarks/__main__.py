"""`python -m benchmarks [--quick]`: all of them, one after the other."""

from __future__ import annotations

import os
import platform
import sqlite3
from importlib.metadata import version

from benchmarks import (
    cloud,
    cold_start,
    creates,
    decision_latency,
    dialog_race,
    http_waiting,
    inbox_list,
    inbox_live,
    parts,
    processes,
    processes_creates,
    sdk,
    tool_overhead,
    tools_tokens,
    two_reviewers,
    waiting,
    webhook_first,
    webhooks,
)


def main() -> None:
    """Say on what, then measure."""
    quick = parts.is_quick(__doc__)
    packages = ", ".join(f"{name} {version(name)}" for name in ("mcp", "fastapi", "uvicorn", "SQLAlchemy"))
    print(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, {packages}"
    )
    for benchmark in (
        cold_start,
        tools_tokens,
        tool_overhead,
        decision_latency,
        creates,
        waiting,
        http_waiting,
        processes,
        processes_creates,
        sdk,
        cloud,
        dialog_race,
        two_reviewers,
        inbox_list,
        inbox_live,
        webhook_first,
        webhooks,
    ):
        benchmark.run(quick=quick)


if __name__ == "__main__":
    main()
