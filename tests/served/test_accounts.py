"""Signing in with a password or a mailed link, sessions, and nobody who guesses or finds out who is known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from hitl_mcp.contract import routes
from hitl_mcp.errors import NotConfigured
from hitl_mcp.service.notify.mail import mail_at
from tests import postgres
from tests.served.team import Team, team
from tests.served.visitor import PASSWORD, Visitor, added, place, post_office, visitor
from tests.world import SimulatedClock

pytestmark = pytest.mark.anyio


async def with_password(on: Team, who: Visitor, name: str) -> None:
    """Somebody who has signed in once and has chosen a password."""
    await added(on, name)
    await who.enter(f"{name}@example.com")
    await who.post("/account/password", expect=200, new=PASSWORD, again=PASSWORD)


async def test_a_password_signs_in_and_changing_it_ends_every_other_session(folder: Path) -> None:
    clock = SimulatedClock()
    async with team(folder, clock=clock) as on, visitor(on) as desk, visitor(on) as phone, visitor(on) as thief:
        await added(on, "ada")
        await desk.enter("ada@example.com")
        for new, again, words in (("short", "short", "at least 12"), (PASSWORD, PASSWORD + "!", "differ")):
            refused = await desk.post("/account/password", expect=422, new=new, again=again)
            assert words in refused.text
        await desk.post("/account/password", expect=200, new=PASSWORD, again=PASSWORD)
        assert (await phone.password("ADA@example.com ", PASSWORD)).status_code == 200
        assert "Ada" in await phone.text("/account")

        clock.move(3600)  # a session that is not fresh has to show the password
        for current in ("", "wrong wrong wrong"):
            await phone.post("/account/password", expect=422, current=current, new="x" * 12, again="x" * 12)
        await phone.post("/account/password", expect=200, current=PASSWORD, new="four red squirrels",
                         again="four red squirrels")  # fmt: skip
        assert (await desk.get("/account")).status_code == 401, "the other session has ended"
        assert (await thief.password("ada@example.com", PASSWORD)).status_code == 401
        assert (await desk.password("ada@example.com", "four red squirrels")).status_code == 200
        await desk.post("/account/password/remove", expect=200)
        assert (await thief.password("ada@example.com", "four red squirrels")).status_code == 401
        assert (await phone.get("/account")).status_code == 401


async def test_a_session_of_before_is_no_session_afterwards(folder: Path) -> None:
    """Session fixation: what a browser had before signing in is worth nothing, and every sign-in makes another."""
    async with team(folder) as on, visitor(on) as ada, visitor(on) as mallory:
        await with_password(on, ada, "ada")
        first = ada.session
        planted = {"Cookie": "hitl_session=planted-by-mallory"}
        await mallory.http.post(
            "/sign-in/password", data={"email": "ada@example.com", "password": PASSWORD}, headers=planted
        )
        assert mallory.session not in (None, "planted-by-mallory", first)
        await ada.password("ada@example.com", PASSWORD)
        assert ada.session != first
        async with visitor(on, Cookie=f"hitl_session={first}") as former:
            assert (await former.get("/account")).status_code == 401, "signing in ended the session of before"


@pytest.mark.parametrize("storage", ["sqlite", "postgres"])
async def test_guessing_becomes_slow_and_locks_nobody_out(folder: Path, storage: str) -> None:
    clock = SimulatedClock()
    if storage == "postgres":
        async with postgres.database() as url, team(folder, database_url=SecretStr(url)) as on:
            await _guess(on)
        return
    async with team(folder, clock=clock, trusted_proxies="127.0.0.1") as on:
        await _guess(on)
        far = {"X-Forwarded-For": "203.0.113.9"}
        async with visitor(on, **far) as ada:
            assert (await ada.password("ada@example.com", PASSWORD)).status_code == 200, "from elsewhere she gets in"
        for number in range(40):  # strangers everywhere
            async with visitor(on, **{"X-Forwarded-For": f"198.51.100.{number}"}) as one:
                await one.password("ada@example.com", f"guess number {number}")
        async with visitor(on, **far) as ada:
            slowed = await ada.password("ada@example.com", PASSWORD)
            assert slowed.status_code == 429 and int(slowed.headers["Retry-After"]) <= 60
            clock.move(61)
            assert (await ada.password("ada@example.com", PASSWORD)).status_code == 200


async def _guess(on: Team) -> None:
    async with visitor(on) as ada, visitor(on) as mallory:
        await with_password(on, ada, "ada")
        answers = [await mallory.password("ada@example.com", f"guess number {number}") for number in range(7)]
        assert [one.status_code for one in answers] == [401] * 5 + [429] * 2
        late = answers[-1]
        assert int(late.headers["Retry-After"]) > 0 and "Too many tries. Wait" in late.text
        right = await mallory.password("ada@example.com", PASSWORD)
        assert right.status_code == 429, "the right one is not told from a wrong one meanwhile"


async def test_nothing_tells_whether_an_address_is_known(folder: Path) -> None:
    with post_office() as box:
        async with team(folder, smtp_url=SecretStr(box.url)) as on, visitor(on) as ada:
            await with_password(on, ada, "ada")
            await added(on, "bob")  # has no password
            seen: set[tuple[int, str]] = set()
            for name in ("ada", "bob", "nobody"):
                async with visitor(on) as one:
                    before = on.services.passwords.hashes
                    answer = await one.password(f"{name}@example.com", "guess guess guess")
                    assert on.services.passwords.hashes == before + 1, name
                    seen.add((answer.status_code, answer.text.replace(name, "NAME")))
                    mailed = await one.http.post("/sign-in/mail", data={"email": f"{name}@example.com"})
                    assert mailed.status_code == 200
                    seen.add((mailed.status_code, mailed.text.replace(name, "NAME")))
            assert len(seen) == 2
            await box.letter(2)
            assert {str(one["To"]) for one in box.letters} == {"ada@example.com", "bob@example.com"}


async def test_a_mailed_link_shows_a_button_and_works_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = SimulatedClock()
    caplog.set_level("DEBUG")
    with post_office() as box:
        async with team(folder, clock=clock, smtp_url=SecretStr(box.url)) as on, visitor(on) as ada:
            await added(on, "ada")
            await ada.http.post("/sign-in/mail", data={"email": "ada@example.com"})
            link = await box.link(1)
            for _ in range(2):  # a mail scanner follows links
                shown = await ada.get(link)
                assert shown.status_code == 200 and ada.session is None
                assert shown.headers["Referrer-Policy"] == "same-origin"
            foreign = await ada.http.post(link, headers={"Origin": "https://evil.example"})
            assert foreign.status_code == 403
            assert (await ada.http.post(link)).status_code == 200 and ada.session
            assert "Ada" in await ada.text("/account")
            async with visitor(on) as second:
                assert (await second.http.post(link)).status_code == 404 and second.session is None
                await second.http.post("/sign-in/mail", data={"email": "ada@example.com"})
                late = await box.link(2)
                token = late.rpartition("/")[2]
                typed = await second.http.post("/sign-in", data={"code": token})
                assert typed.status_code == 401, "a mailed link is no terminal's code"
                clock.move(601)
                assert (await second.http.post(late)).status_code == 404
            ours = [one.getMessage() for one in caplog.records if not one.name.startswith(("mail.", "http", "asyncio"))]
            assert not any(token in line for line in ours)
            assert any("/sign-in/link/..." in line for line in ours)


async def test_links_are_not_mailed_without_end(folder: Path) -> None:
    with post_office() as box:
        async with team(folder, smtp_url=SecretStr(box.url)) as on, visitor(on) as one:
            await added(on, "ada")
            codes = [
                (await one.http.post("/sign-in/mail", data={"email": "ada@example.com"})).status_code for _ in range(5)
            ]
            assert codes == [200] * 3 + [429] * 2
            await box.letter(3)


async def test_sessions_are_listed_and_ended(folder: Path) -> None:
    async with team(folder) as on, visitor(on) as desk, visitor(on) as phone, visitor(on) as other:
        await place(on)
        await desk.enter("owner@example.com")
        phone.http.headers["User-Agent"] = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Version/18.0 Safari/604.1"
        await phone.enter("owner@example.com")
        await other.enter("reviewer@example.com")
        shown = await desk.text("/account")
        assert "Firefox on Linux" in shown and "Safari on iPhone" in shown and shown.count("this one") == 1
        [session] = re.findall(r'name="session" value="([0-9a-f]{24})"', shown)
        await other.post("/account/sessions/end", expect=404, session=session)
        assert (await phone.get("/account")).status_code == 200, "another's session is nobody else's to end"
        await desk.post("/account/sessions/end", session=session)
        assert (await phone.get("/account")).status_code == 401
        await phone.enter("owner@example.com")
        await desk.post("/account/sessions/end-others")
        assert (await phone.get("/account")).status_code == 401
        assert (await desk.get("/account")).status_code == (await other.get("/account")).status_code == 200


async def test_every_form_of_the_account_wants_our_page_and_this_session(folder: Path) -> None:
    async with team(folder) as on, visitor(on) as ada, visitor(on) as bob:
        await added(on, "ada")
        await added(on, "bob")
        await ada.enter("ada@example.com")
        await bob.enter("bob@example.com")
        theirs = await bob.token()
        forms = {"/account/password": {"new": PASSWORD, "again": PASSWORD}, "/account/name": {"name": "M"},
                 "/account/password/remove": {}, "/account/sessions/end-others": {}}  # fmt: skip
        for path, form in forms.items():
            wrong = await ada.http.post(path, data=form | {"token": theirs})
            foreign = await ada.http.post(path, data=form | {"token": await ada.token()}, headers={"Origin": "null"})
            assert (wrong.status_code, foreign.status_code) == (403, 403), path
        assert (await bob.password("ada@example.com", PASSWORD)).status_code == 401
        await ada.post("/account/name", name="Ada, Countess")
        assert "Ada, Countess" in await ada.text("/account")


async def test_the_first_person_is_made_at_the_console_only(folder: Path) -> None:
    async with team(folder) as on, visitor(on) as first:
        assert "hitl-mcp people add" in await first.text("/sign-in")
        key = await on.key()
        for method, body in (("GET", None), ("POST", {"name": "M", "email": "m@example.com", "owner": True})):
            refused = await first.http.request(
                method, f"http://127.0.0.1:{on.services.keys.internal_port}{routes.PEOPLE}", json=body,
                headers={"Authorization": f"Bearer {key}", "Host": f"127.0.0.1:{on.services.keys.internal_port}"},
            )  # fmt: skip
            assert refused.status_code == 403, refused.text
        await added(on, "ada", owner=True)
        assert "hitl-mcp people add" not in await first.text("/sign-in")
        await first.enter("ada@example.com")
        listed = (await on.console("GET", routes.PEOPLE))["people"]
        assert [(one["name"], one["is_owner"], one["loops"]) for one in listed] == [("Ada", True, 1)]
        assert "Default" in await first.text("/loops")


@pytest.mark.parametrize("wrong", ["mail.example.com", "smtp://host", "smtp://h:x?from=a@b.cd", "http://h?from=a@b.cd"])
def test_a_mail_server_that_cannot_be_meant_is_refused_without_its_secret(wrong: str) -> None:
    with pytest.raises(NotConfigured, match="HITL_SMTP_URL: must be like") as refused:
        mail_at(wrong.replace("//", "//user:pa55word@"))
    assert "pa55word" not in str(refused.value)


def test_mail_is_encrypted_wherever_there_is_a_password() -> None:
    one = mail_at("smtp://me%40x.org:s%2Fe@mail.example.com?from=hitl@example.com")
    assert one is not None and (one.port, one.starttls, one.tls) == (587, True, False)
    assert (one.user, one.password, one.sender) == ("me@x.org", "s/e", "hitl@example.com")
    two = mail_at("smtps://me%40x.org:s@mail.example.com")
    assert two is not None and (two.port, two.starttls, two.tls, two.sender) == (465, False, True, "me@x.org")
