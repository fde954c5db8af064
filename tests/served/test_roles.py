"""Owners, reviewers and viewers: what each may do, on pages and in the API; loops and keys in the pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from hitl_mcp.contract import routes
from hitl_mcp.errors import NotAllowed
from hitl_mcp.sdk.local import ask
from tests import postgres
from tests.served.team import Team, team
from tests.served.visitor import Place, added, place, post_office, visitor

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("storage", ["sqlite", "postgres"])
async def test_a_viewer_sees_and_does_nothing(folder: Path, storage: str) -> None:
    if storage == "postgres":
        async with postgres.database() as url, team(folder, database_url=SecretStr(url)) as on:
            await _view(on)
    else:
        async with team(folder) as on:
            await _view(on)


async def _view(on: Team) -> None:
    here = await place(on)
    asked = await here.asked()
    assert {name: one["role"] for name, one in (await here.members()).items()} == {
        "owner": "owner", "reviewer": "member", "viewer": "viewer",
    }  # fmt: skip
    reached = {one["user_id"] for one in (await here.request(asked))["broadcasted_to"]}
    assert reached == {here.ids["owner"], here.ids["reviewer"]}, "who only looks on is not counted"
    async with visitor(on) as viewer, visitor(on) as owner:
        await viewer.enter("viewer@example.com")
        await owner.enter("owner@example.com")
        shown = await viewer.text(f"/requests/{asked}")
        assert "Refund 40 EUR?" in shown and "/decision" not in shown
        for action in ("decision", "claim"):
            await viewer.post(f"/requests/{asked}/{action}", expect=None, revision="1", answer="approve")
        one = f"/loops/{here.loop_id}"
        member = f"{one}/members/{here.ids['reviewer']}"
        for path in (f"{one}/edit", f"{one}/archive", f"{member}/remove", f"{member}/role", f"{one}/invitations"):
            refused = await viewer.post(path, expect=None, role="reviewer", name="Mine")
            assert refused.status_code == 403, (path, refused.text)
        assert (await viewer.get(f"{one}/edit")).status_code == 403
        assert "Invite people" not in await viewer.text(one)
        after = await here.request(asked)
        assert (after["status"], after["claimed_by"]) == ("pending", None)
    await _last_owner_and_claims(here, asked)


async def _last_owner_and_claims(here: Place, asked: str) -> None:
    on, one = here.on, f"/loops/{here.loop_id}"
    async with visitor(on) as owner, visitor(on) as reviewer:
        await owner.enter("owner@example.com")
        await reviewer.enter("reviewer@example.com")
        refused = await owner.post(f"{one}/leave", expect=409)
        assert "at least one owner" in refused.text
        await owner.post(f"{one}/members/{here.ids['owner']}/role", expect=409, role="viewer")
        await reviewer.post(f"/requests/{asked}/claim")
        await reviewer.post(f"{one}/invitations", role="reviewer")
        code, _ = re.findall(r'<code class="code">(\w{9})</code>', await reviewer.text(one))
        assert (await reviewer.get(f"{one}/qr/{code}.png")).headers["content-type"] == "image/png"
        await owner.post(f"{one}/members/{here.ids['reviewer']}/role", role="viewer")
        assert (await here.request(asked))["status"] == "pending", "the claim was given back"
        assert (await owner.get(f"/join/{code}")).status_code == 404, "the code died with the part"
        await owner.post(f"{one}/members/{here.ids['reviewer']}/role", role="owner")
        await owner.post(f"{one}/leave")
        assert (await owner.get(one)).status_code == 401, "who is left in no loop is signed out"
        with pytest.raises(NotAllowed, match="Only loop creators"):
            await here.asked("Once more?")
        assert (await reviewer.get(f"{one}/edit")).status_code == 200


async def test_a_loop_is_made_set_up_and_archived_when_nothing_is_open(folder: Path) -> None:
    async with team(folder) as on, visitor(on) as owner, visitor(on) as other:
        here = await place(on)
        await added(on, "eve")
        await owner.enter("owner@example.com")
        await other.enter("eve@example.com")
        made = await owner.post(
            "/loops", name="Contracts", icon="pen", guidelines="**Read** it <script>alert(1)</script>"
        )
        path = made.headers["location"]
        for strangers in (path, f"{path}/edit", f"{path}/leave", f"{path}/archive"):
            assert (await other.get(strangers)).status_code == 404, strangers
        assert (await other.post("/loops", expect=403, name="Mine", icon="x")).status_code == 403
        wrong = await owner.post(f"{path}/edit", expect=422, name="", undo_seconds="999")
        assert "from 0 to 300" in wrong.text
        await owner.post(f"{path}/edit", name="Contracts 2", undo_seconds="20", allow_client_answers="no",
                         guidelines="**Read** it <script>x</script>")  # fmt: skip
        shown = await owner.text(path)
        assert "Contracts 2" in shown and "<strong>Read</strong>" in shown and "<script>x" not in shown
        asked = await here.asked()
        await owner.post(f"/loops/{here.loop_id}/edit", name="Payments", guidelines="Ask *finance* above 500 EUR")
        assert "<em>finance</em>" in await owner.text(f"/requests/{asked}")
        refused = await owner.post(f"/loops/{here.loop_id}/archive", expect=409)
        assert "1 of its requests are open" in refused.text and f"/requests/{asked}" in refused.text
        await owner.post(f"{path}/archive")
        assert "Contracts 2" not in await owner.text("/loops")
        oldest = await owner.http.get("/loops", headers={"Authorization": f"Bearer {here.key}"})
        assert oldest.headers["content-type"] == "application/json", "the oldest base is still the API's for keys"


async def test_an_ownerinvites_a_mailbox_and_its_person_is_in_at_once(folder: Path) -> None:
    with post_office() as box:
        async with team(folder, smtp_url=SecretStr(box.url)) as on, visitor(on) as owner, visitor(on) as grace:
            here = await place(on)
            await owner.enter("owner@example.com")
            one = f"/loops/{here.loop_id}"
            await owner.post(f"{one}/invitations", role="viewer", email="Grace@Example.com")
            link = await box.link(1)
            code = link.rpartition("/")[2]
            assert len(code) == 20 and code not in await owner.text(one), "only the mailbox knows it"
            assert "Your e-mail address: grace@example.com" in await grace.text(link)
            welcome = await grace.http.post(link, data={"name": "Grace", "email": "mallory@example.com"})
            assert "Welcome to" in welcome.text and grace.session
            assert (await here.members())["grace"]["status"] == "active"
            assert (await here.members())["grace"]["role"] == "viewer"
            async with visitor(on) as second:
                assert (await second.get(link)).status_code == 404, "it is good for once"
            async with visitor(on) as reviewer:
                await reviewer.enter("reviewer@example.com")
                await reviewer.post(f"{one}/invitations", expect=403, role="owner", email="eve@example.com")
                await reviewer.post(f"{one}/invitations", role="reviewer", email="eve@example.com")
                async with visitor(on) as eve:
                    asked = await eve.http.post(await box.link(2), data={"name": "Eve"})
                    assert "You asked to join" in asked.text, "a reviewer's invitation still needs a confirmation"


async def test_a_key_is_made_for_oneself_shown_once_and_revoked(folder: Path) -> None:
    async with team(folder) as on, visitor(on) as owner, visitor(on) as viewer:
        here = await place(on)
        await owner.enter("owner@example.com")
        await viewer.enter("viewer@example.com")
        scopes = ["loops:read", "requests:write", "webhooks:write"]
        made = await owner.post("/keys", expect=200, name="CI <b>bot</b>", scope=scopes, loop=[here.loop_id])
        [key] = re.findall(r'id="key">(hitl_live_[\w-]+)<', made.text)
        assert made.headers["Cache-Control"] == "no-store" and "<b>bot" not in made.text
        tested = await ask(on.endpoint(key), "GET", routes.KEY_TEST)
        assert (tested["permissions"], tested["loop_ids"]) == (scopes, [here.loop_id])
        shown = await owner.text("/keys")
        assert key not in shown and key[:16] in shown
        assert "CI" not in await viewer.text("/keys")
        await viewer.post(f"/keys/{tested['api_key_id']}/revoke", expect=404)
        await viewer.post("/keys", expect=404, name="x", scope="loops:read", loop="a" * 24)
        await owner.post("/keys", expect=422, name="no scope")
        await owner.post(f"/keys/{tested['api_key_id']}/revoke")
        revoked = next(
            one for one in (await on.console("GET", routes.KEYS))["keys"] if one["hint"].startswith(key[:16])
        )
        assert revoked["revoked_at"] is not None


async def test_codes_of_invitations_cannot_be_tried_in_numbers(folder: Path) -> None:
    async with team(folder) as on, visitor(on) as stranger:
        answers = [(await stranger.get(f"/join/ABCDEF{number:03}")).status_code for number in range(22)]
        assert answers[:20] == [404] * 20 and answers[-1] == 429
