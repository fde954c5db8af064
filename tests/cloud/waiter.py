"""A process of its own that waits for requests: `python -m tests.cloud.waiter URL KEY FOLDER REQUEST...`.

Says `waiting`, then one line with a request and its outcome as each is closed.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import anyio

from hitl_mcp.contract.outcome import outcome_of
from hitl_mcp.sdk.cloud.backend import Cloud
from hitl_mcp.sdk.connection import Connection
from hitl_mcp.sdk.endpoint import Endpoint, Fixed

SECONDS = 100.0


async def main(url: str, key: str, folder: str, *names: str) -> None:
    """Wait for all of them."""
    backend = Cloud(Connection(Fixed(Endpoint(url, key, "https://my.hitl.sh", name="cloud"))), Path(folder))

    async def one(name: str) -> None:
        request = await backend.look(name)
        with backend.watching(request) as watch:
            print("waiting", flush=True)
            while watch.request.status.is_open:
                await watch.changed(SECONDS)
        print(name, outcome_of(watch.request), flush=True)

    with anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as running:
            running.start_soon(backend.run)
            async with anyio.create_task_group() as tasks:
                for name in names:
                    tasks.start_soon(one, name)
            running.cancel_scope.cancel()
    await backend.aclose()


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG)
    anyio.run(main, sys.argv[1], sys.argv[2], sys.argv[3], *sys.argv[4:])
