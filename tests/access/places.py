"""Every page and state of the inbox: who meets it, where, and what they do to come there.

A new page needs an entry here; `test_axe.test_every_page_is_looked_at` says which are missing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from playwright.async_api import Page

from tests.access.gallery import LONG, NEWCOMER, OWNER, REVIEWER, RTL, STRANGER, VIEWER, Gallery
from tests.inbox.test_answers import TYPES, give

Reach = Callable[[Gallery, Page], Awaitable[object]]


@dataclass(frozen=True)
class Place:
    """One page in one state.

    Attributes:
        path: with values of `Gallery.held` and `Gallery.asked` in braces; the latter's spaces as `_`.
        then: what the person does there.
        status: of the page that is opened.
        nightly: what it shows is made of parts that other places show too.
    """

    path: str
    who: str = REVIEWER
    then: Reach | None = None
    status: int = 200
    nightly: bool = False

    def address(self, gallery: Gallery) -> str:
        """Where it is on this server, without its origin."""
        values = {name.replace(" ", "_"): value for name, value in (gallery.asked | gallery.held).items()}
        return self.path.format(loop_id=gallery.loop_id, **values)

    async def reach(self, gallery: Gallery, page: Page) -> None:
        """Bring the page there."""
        answer = await page.goto(gallery.origin + self.address(gallery))
        assert answer is not None and answer.status == self.status, (self.path, answer and answer.status)
        if self.then is not None:
            await self.then(gallery, page)


def _one(name: str) -> str:
    return f"/requests/{{{name.replace(' ', '_')}}}"


async def press(page: Page, button: str) -> None:
    """Send a form by its button."""
    async with page.expect_navigation():
        await page.get_by_role("button", name=button, exact=True).click()


async def opened(page: Page, request_id: str) -> None:
    """The page of one request."""
    address = page.url.split("/", 3)
    await page.goto("/".join([*address[:3], "requests", request_id]))


async def _everything_open(_: Gallery, page: Page) -> None:
    await page.evaluate("for (const it of document.querySelectorAll('details')) it.open = true")


async def _refused_code(_: Gallery, page: Page) -> None:
    await page.fill("#code", "WRONG-WRONG")
    await press(page, "Sign in with the code")


async def _signed_out(gallery: Gallery, page: Page) -> None:
    await gallery.sign_in(REVIEWER)
    await page.goto(gallery.origin)
    await press(page, "Sign out")
    await gallery.sign_in(REVIEWER)


async def _session_ended(gallery: Gallery, page: Page) -> None:
    request = await gallery.ask()
    await opened(page, request)
    await page.fill("#comment", LONG)
    await page.context.clear_cookies()
    await press(page, "Approve")
    await gallery.sign_in(REVIEWER)


async def _too_late(gallery: Gallery, page: Page) -> None:
    request = await gallery.ask()
    await opened(page, request)
    await page.fill("#comment", LONG)
    await (await gallery.at_terminal(OWNER)).answer(request, "reject", comment=LONG)
    await press(page, "Approve")


async def _changed_meanwhile(gallery: Gallery, page: Page) -> None:
    request = await gallery.ask(context={"a": LONG})
    await opened(page, request)
    await page.wait_for_selector("#live[data-state=live]")
    await page.fill("#comment", LONG)
    await gallery.call("PATCH", f"/v1/api/requests/{request}", {"request_text": LONG, "context": {"b": [LONG]}})
    await page.locator("#news").wait_for(state="visible")


async def _answered_after_a_change(gallery: Gallery, page: Page) -> None:
    await _changed_meanwhile(gallery, page)
    await press(page, "Approve")
    await _everything_open(gallery, page)


async def _held(gallery: Gallery, page: Page) -> None:
    request = await gallery.ask()
    await gallery.undo_seconds(300)
    await opened(page, request)
    await page.fill("#comment", f"{RTL} {LONG}")
    await press(page, "Approve")
    await gallery.undo_seconds(0)


async def _taken_back(gallery: Gallery, page: Page) -> None:
    await _held(gallery, page)
    await press(page, "Undo")


async def _an_old_form(gallery: Gallery, page: Page) -> None:
    request = await gallery.ask()
    await opened(page, request)
    await page.fill("#comment", LONG)
    await gallery.sign_in(REVIEWER)
    await press(page, "Approve")


async def _an_old_name(gallery: Gallery, page: Page) -> None:
    await gallery.sign_in(REVIEWER)
    await press(page, "Change the name")


async def _some_of_them(gallery: Gallery, page: Page) -> None:
    asked = [await gallery.ask(f"Move {LONG} to host {number}?") for number in (1, 2, 3)]
    address = page.url.split("/", 3)
    await page.goto("/".join([*address[:3], "similar", await gallery.similar(asked[0])]))
    await page.fill("#comment", f"{RTL} {LONG}")
    await (await gallery.at_terminal(OWNER)).answer(asked[1], "reject", comment=LONG)
    await press(page, "Approve")


async def _joining_without_a_name(_: Gallery, page: Page) -> None:
    await page.evaluate("document.querySelector('form[action^=\"/join\"]').noValidate = true")
    await press(page, "Ask to join")


async def _joining(gallery: Gallery, page: Page) -> None:
    await page.fill("#name", "Somebody New")
    await page.fill("#email", "new@example.com")
    await press(page, "Ask to join")
    await page.context.clear_cookies()


async def _keys_shown(_: Gallery, page: Page) -> None:
    await page.keyboard.press("?")
    await page.locator("dialog[open]").wait_for()


async def _phone_picture(gallery: Gallery, page: Page) -> None:
    await press(page, "Sign in on a phone")


async def _unknown_channel(_: Gallery, page: Page) -> None:
    await page.fill("#address", "nothing://" + LONG)
    await press(page, "Add")


async def _form_with_faults(_: Gallery, page: Page) -> None:
    async with page.expect_navigation():
        await page.evaluate(
            "() => { const f = document.getElementById('answer-form'); f.noValidate = true; "
            "f.querySelector('[type=email]').value = 'nobody'; f.querySelector('.send').click() }"
        )


def _with_a_fault(index: int) -> Reach:
    kind = TYPES[index]

    async def faulty(_: Gallery, page: Page) -> None:
        assert await give(page, kind.control, kind.bad[0][0]) == 422

    return faulty


_seen: set[str] = set()
_types = [kind.name if kind.name not in _seen and not _seen.add(kind.name) else f"{kind.name} as a number"
          for kind in TYPES]  # fmt: skip

PLACES: dict[str, Place] = {
    "the list": Place("/"),
    "the owner's list": Place("/", OWNER),
    "the viewer's list": Place("/", VIEWER, nightly=True),
    "the newcomer's list": Place("/", NEWCOMER),
    "nothing found": Place("/?q=nothing-like-this&priority=low"),
    "the second page": Place("/?page=2", OWNER, nightly=True),
    "on a wall": Place("/?wall=1"),
    "the keys": Place("/", REVIEWER, _keys_shown),
    "the keys at a request": Place(_one("approval"), REVIEWER, _keys_shown, nightly=True),
    "the history": Place("/history"),
    "the history, narrowed": Place("/history?q=Answered&status=completed", VIEWER),
    "alike": Place("/similar/{alike}"),
    "alike for a viewer": Place("/similar/{alike}", VIEWER, nightly=True),
    "figures": Place("/figures", OWNER, _everything_open),
    "figures for a reviewer": Place("/figures", nightly=True),
    "figures for a newcomer": Place("/figures", NEWCOMER, nightly=True),
    "webhooks": Place("/webhooks", OWNER, _everything_open),
    "a webhook": Place("/webhooks/{webhook_id}", OWNER, _everything_open),
    "the owner's channels": Place("/reach", OWNER, _everything_open),
    "account": Place("/account", then=_everything_open),
    "account with a password": Place("/account", VIEWER),
    "keys": Place("/keys", OWNER, _everything_open),
    "revoke a key": Place("/keys/{key_id}/revoke", OWNER),
    "loops": Place("/loops", OWNER),
    "a new loop": Place("/loops/new", OWNER, _everything_open),
    "a loop": Place("/loops/{loop_id}", OWNER, _everything_open),
    "a loop for a viewer": Place("/loops/{loop_id}", VIEWER),
    "edit a loop": Place("/loops/{loop_id}/edit", OWNER, _everything_open),
    "archive a loop": Place("/loops/{loop_id}/archive", OWNER),
    "a ladder": Place("/loops/{own_loop}/escalation", OWNER),
    "no ladder, for a reviewer": Place("/loops/{loop_id}/escalation"),
    "leave a loop": Place("/loops/{loop_id}/leave"),
    "remove a member": Place("/loops/{loop_id}/members/{user_id}/remove", OWNER),
    "a link to sign in": Place("/sign-in/link/{digest}", STRANGER, status=404),
    "being reached": Place("/reach", then=_everything_open),
    "a channel that does not exist": Place("/reach", REVIEWER, _unknown_channel),
    "a picture for a phone": Place("/reach", REVIEWER, _phone_picture),
    "signing in on a phone": Place("/sign-in/phone", STRANGER),
    "the people": Place("/people", OWNER),
    "the people for a viewer": Place("/people", VIEWER, nightly=True),
    "the people for a newcomer": Place("/people", NEWCOMER),
    "sign in": Place("/sign-in", STRANGER),
    "a refused code": Place("/sign-in", STRANGER, _refused_code),
    "signed out": Place("/", REVIEWER, _signed_out),
    "a stranger at a request": Place(_one("approval"), STRANGER, status=401),
    "the session ended meanwhile": Place("/", REVIEWER, _session_ended),
    "join": Place("/join/{code}", STRANGER),
    "join as somebody known": Place("/join/{code}", OWNER),
    "join without a name": Place("/join/{code}", STRANGER, _joining_without_a_name),
    "joined": Place("/join/{code}", STRANGER, _joining),
    "an unknown invitation": Place("/join/ZZZZZZZZZ", STRANGER, status=404),
    "nothing there": Place("/nothing", REVIEWER, status=404),
    "no such request": Place("/requests/" + "0" * 24, REVIEWER, status=404),
    "another's request": Place(_one("elsewhere"), REVIEWER, status=404),
    **{f"a question: {name}": Place(_one(name)) for name in (*_types, "form")},
    **{
        f"a refused answer: {name}": Place(_one(name), then=_with_a_fault(at), nightly=at > 0)
        for at, name in enumerate(_types)
    },
    "a form with faults": Place(_one("form"), then=_form_with_faults),
    "many words": Place(_one("words"), then=_everything_open),
    **{
        name: Place(_one(name), then=_everything_open)
        for name in ("hidden", "rtl", "picture", "late", "claimed by me", "claimed by another", "changed", "expired",
                     "cancelled", "approve", "text answered")
    },
    **{
        name: Place(_one(name), then=_everything_open, nightly=True)
        for name in ("reject", "needs_changes", "multi_select answered", "rating answered", "editable_text answered")
    },
    **{
        name: Place(_one(name), then=_everything_open)
        for name in ("asked back answered", "escalated here")
    },
    **{name: Place(_one(name), then=_everything_open, nightly=True) for name in ("asked back", "handed on")},
    "on a ladder": Place(_one("on a ladder"), OWNER, _everything_open, nightly=True),
    "escalated": Place(_one("escalated"), OWNER, _everything_open),
    "handed on, to its person": Place(_one("handed on"), OWNER, _everything_open, nightly=True),
    "a held answer": Place("/", REVIEWER, _held),
    "an answer taken back": Place("/", REVIEWER, _taken_back, nightly=True),
    "some of them": Place("/", REVIEWER, _some_of_them),
    "an old form": Place("/", REVIEWER, _an_old_form),
    "an old form elsewhere": Place("/account", REVIEWER, _an_old_name, nightly=True),
    "a viewer at a request": Place(_one("approval"), VIEWER),
    "too late": Place("/", REVIEWER, _too_late),
    "changed meanwhile": Place("/", REVIEWER, _changed_meanwhile),
    "answered after a change": Place("/", REVIEWER, _answered_after_a_change),
}  # fmt: skip
