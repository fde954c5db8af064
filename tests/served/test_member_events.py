"""Who joins and leaves a loop is told to the endpoints of who may know its people, and to no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from hitl_mcp.contract import routes
from hitl_mcp.sdk.local import ask
from hitl_mcp.webhooks import verify_signature
from tests.served.team import team
from tests.served.test_attack import enter, new_loop, people_of, visitor
from tests.service.receiver import listening
from tests.world import eventually

pytestmark = pytest.mark.anyio

WITHOUT_LOOPS = ["requests:read", "requests:write", "webhooks:write"]


async def test_joining_and_leaving_is_told_to_who_may_list_the_people(folder: Path) -> None:
    async with (
        listening() as told,
        listening() as untold,
        team(folder, outgoing_allow="127.0.0.1") as on,
        visitor(on) as owner,
    ):
        knows = on.endpoint(await on.key(scopes=[*WITHOUT_LOOPS, "loops:read", "loops:write", "members:write"]))
        loop_id, _ = await new_loop(on, knows)
        blind = on.endpoint(await on.key(name="requests only", scopes=WITHOUT_LOOPS))
        hook = (await ask(knows, "POST", routes.WEBHOOKS, {"url": told.url, "events": ["loop.*"]}))["webhook"]
        other = (await ask(blind, "POST", routes.WEBHOOKS, {"url": untold.url, "events": ["*"]}))["webhook"]
        members = routes.MEMBERS.format(loop_id=loop_id)
        await ask(knows, "POST", members, {"email": "grace@example.com", "name": "Grace"})
        grace = (await people_of(knows, loop_id))["grace@example.com"]["user_id"]
        let_in = {"token": await enter(on, owner), "loop": loop_id, "user": grace}
        assert (await owner.post("/people/confirm", data=let_in)).status_code == 303
        await ask(knows, "DELETE", routes.MEMBER.format(loop_id=loop_id, user_id=grace))

        async def both_came() -> bool:
            return len(told.received) == 2

        await eventually(both_came)
        assert told.events() == ["loop.member_joined", "loop.member_left"]
        for one in told.received:
            assert verify_signature(one.headers, one.raw, hook["secret"])
            assert one.body["data"]["member"]["email"] == "grace@example.com"
        sent = await ask(blind, "GET", routes.WEBHOOK_DELIVERIES.format(webhook_id=other["id"]))
        assert sent["deliveries"] == [] and untold.received == []
