"""Requests that come with one key at once share one look at it, and none depends on another's going on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from mcp.server.auth.provider import AccessToken

from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.tools.http.keys import KeyVerifier
from tests.world import WAIT, settled, world

pytestmark = pytest.mark.anyio


@dataclass
class Slow:
    """Finds a backend once the gate is open."""

    known: Endpoint
    gate: anyio.Event = field(default_factory=anyio.Event)
    asked: int = 0

    async def endpoint(self, failed: Endpoint | None = None) -> Endpoint:
        """See `Resolver`."""
        self.asked += 1
        await self.gate.wait()
        return self.known


async def test_one_look_serves_all_who_wait_for_it(folder: Path) -> None:
    async with world(folder) as here:
        way = Slow(here.found.endpoint())
        verifier = KeyVerifier(lambda _: way)
        good: list[AccessToken | None] = []

        async def verify() -> None:
            good.append(await verifier.verify_token(way.known.key))

        with anyio.fail_after(WAIT):
            async with anyio.create_task_group() as tasks:
                for _ in range(5):
                    tasks.start_soon(verify)
                await settled()
                assert way.asked == 1
                way.gate.set()
            assert good[0] is not None and all(one is good[0] for one in good)
            await verify()
            assert way.asked == 2, "the next request is asked about anew"
        await verifier.aclose()


async def test_who_waits_goes_on_when_whoever_asked_was_cut_off(folder: Path) -> None:
    async with world(folder) as here:
        way = Slow(here.found.endpoint())
        verifier = KeyVerifier(lambda _: way)
        good: list[AccessToken | None] = []
        cut = anyio.CancelScope()

        async def verify(scope: anyio.CancelScope) -> None:
            with scope:
                good.append(await verifier.verify_token(way.known.key))

        with anyio.fail_after(WAIT):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(verify, cut)
                await settled()
                tasks.start_soon(verify, anyio.CancelScope())
                await settled()
                cut.cancel()
                way.gate.set()
        assert len(good) == 1 and good[0] is not None
        await verifier.aclose()
