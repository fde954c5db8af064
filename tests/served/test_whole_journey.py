"""A team begins: from a fresh server to decisions, in real browsers: the owner's desktop, a reviewer's phone.

Around them stand a mail server, a webhook's receiver and a chat, which get what really goes out.

`HITL_TEST_SCREENSHOTS=docs pytest tests/served/test_whole_journey.py` renews the pictures of docs/team.md and
docs/operating.md; what else it shows goes there as `journey-*.png`, which nothing commits.
"""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import ViewportSize, expect
from pydantic import SecretStr

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.outcome import outcome_of
from hitl_mcp.sdk.aio import AsyncHITLClient
from hitl_mcp.sdk.endpoint import Fixed
from hitl_mcp.webhooks import WebhookHandler
from tests.browser import browser
from tests.receivers import Receiver, receiving
from tests.served.person import WANTED, Person
from tests.served.pictures import picture_server
from tests.served.team import team
from tests.served.visitor import PASSWORD, Post, post_office
from tests.world import WAIT, eventually

pytestmark = pytest.mark.anyio

DESK: ViewportSize = {"width": 1200, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
PLACES = ["/", "/history", "/loops", "/figures", "/webhooks", "/keys", "/reach", "/account"]
GUIDELINES = "Refunds up to **50 EUR** are fine.\n\n- Above that, look at the contract.\n- Never pay twice."
DETAILS = """The limit of the refunds rises:

```diff
-limit = 50
+limit = 500
```

It is read in one place:

```python
def refund(amount: int, customer: str) -> None:
    if amount <= limit:
        pay(amount, to=customer)
```
"""
ROWS = [
    {"order": 4711, "customer": "Okafor", "sum": "42.00 EUR"},
    {"order": 4712, "customer": "Ng", "sum": "39.90 EUR"},
]
QUESTIONS: dict[str, dict[str, Any]] = {
    "limit": {"kind": "approval", "request_text": "Raise the limit of refunds to 500 EUR?", "priority": "critical",
              "context": {"details": DETAILS, "environment": "production"}},
    "orders": {"kind": "approval", "request_text": "Refund these orders of last week?", "priority": "high",
               "context": {"orders": ROWS}},
    "parcel": {"kind": "approval", "request_text": "Is this the damaged parcel?"},
    "tone": {"response_type": "single_select", "request_text": "In which tone do we answer Ms. Okafor?",
             "response_config": {"options": ["Formal", "Friendly"]}},
    "sum": {"response_type": "number", "request_text": "How much do we credit?",
            "response_config": {"min_value": 0, "max_value": 100, "prefix": "EUR"}},
    "reply": {"response_type": "editable_text", "request_text": "May I send this reply?",
              "response_config": {"draft_text": "Dear Ms. Okafor,\n\nyour refund is on its way."}},
    "ticket 1": {"kind": "approval", "request_text": "Close ticket 812?", "priority": "low"},
    "ticket 2": {"kind": "approval", "request_text": "Close ticket 813?", "priority": "low"},
}  # fmt: skip


async def the_owner_begins(owner: Person) -> str:
    """From the terminal's code to a loop with guidelines and a ladder; the loop's page."""
    on, page = owner.on, owner.page
    await on.console("POST", routes.PEOPLE, {"name": "Ada Lovelace", "email": "ada@example.com", "owner": True})
    await owner.go("/sign-in")
    await owner.picture("journey-sign-in")
    await page.fill("#code", await on.code("ada@example.com"))
    await page.get_by_role("button", name="Sign in with the code").click()
    await page.wait_for_url(f"{on.origin}/")
    await owner.picture("journey-empty")
    await page.get_by_role("link", name="Account").click()
    await owner.set_password()

    await page.get_by_role("link", name="Loops").click()
    await page.get_by_role("link", name="New loop").click()
    await page.fill("#name", "Refunds")
    await page.fill("#description", "Money that goes back to customers")
    await page.fill("#guidelines", GUIDELINES)
    await page.fill("#undo_seconds", "30")
    await owner.picture("journey-new-loop")
    await owner.press("Make the loop")
    loop = page.url.removeprefix(on.origin)
    await owner.press("Make a code")
    await page.get_by_role("link", name="Escalation").click()
    await page.fill("#s0-after_percent", "50")
    await page.select_option("#s0-raise_priority_to", "critical")
    await owner.picture("journey-escalation")
    await owner.press("Save the ladder")
    await owner.go(loop)
    return loop


async def a_reviewer_joins(owner: Person, reviewer: Person, loop: str) -> None:
    """By the link, in another browser; let in, made an owner and a reviewer again."""
    invited = await owner.page.locator(".invitation a").first.inner_text()
    await reviewer.page.goto(invited)
    await reviewer.fits()
    await reviewer.picture("journey-join")
    await reviewer.page.fill("#name", "Grace Hopper")
    await reviewer.page.fill("#email", "grace@example.com")
    await reviewer.press("Ask to join")
    await reviewer.picture("journey-asked-to-join")
    await owner.go(loop)
    await owner.picture("journey-newcomer")
    await owner.press("Let Grace Hopper in")
    role = owner.page.get_by_label("Role of Grace Hopper")
    for wanted in ("owner", "reviewer"):
        await role.select_option(wanted)
        async with owner.page.expect_navigation():
            await owner.page.locator("form", has=role).get_by_role("button", name="Change role").click()
        await expect(role).to_have_value(wanted)
    await owner.picture("loop")
    await reviewer.go("/account")
    await reviewer.set_password()
    await reviewer.go("/")
    await reviewer.picture("journey-nothing-waits")


async def somebody_is_invited_by_mail(owner: Person, invited: Person, box: Post, loop: str) -> None:
    """The link goes to their mailbox alone; whom an owner invites is in on accepting."""
    page = owner.page
    await owner.go(loop)
    await page.fill("#invite-email", "mary@example.com")
    await page.select_option("#mail-role", "viewer")
    await owner.press("Send an invitation")
    await owner.picture("journey-invited")
    link = await box.link(1)
    assert (await box.letter(1))["To"] == "mary@example.com"
    assert link.rpartition("/")[2] not in await page.content(), "the code is in the mail only"
    await invited.go(link)
    await invited.picture("journey-accept")
    await invited.page.fill("#name", "Mary Shelley")
    assert "Welcome to Refunds" in await invited.press("Accept the invitation")
    await owner.go(loop)
    await expect(page.get_by_label("Role of Mary Shelley")).to_have_value("viewer")


async def a_webhook_is_added(owner: Person, there: Receiver) -> str:
    """For what is decided; its secret, shown once."""
    await owner.page.get_by_role("link", name="Webhooks").click()
    await owner.page.fill("#url", f"http://127.0.0.1:{there.port}/decisions")
    await owner.page.get_by_label("request.completed").check()
    await owner.press("Add")
    await owner.picture("journey-webhook")
    return await owner.page.locator(".secret code").inner_text()


async def a_channel_is_added(reviewer: Person, chat: Receiver) -> None:
    """On the phone."""
    await reviewer.page.get_by_role("link", name="Notifications").tap()
    await reviewer.page.fill("#address", chat.channel)
    await reviewer.page.fill("#name", "Team chat")
    async with reviewer.page.expect_navigation():  # it leads past the top of the page, to the channel
        await reviewer.page.get_by_role("button", name="Add", exact=True).tap()
    await expect(reviewer.page.locator(".channels")).to_contain_text("Team chat")
    assert chat.channel not in await reviewer.page.content()
    await reviewer.picture("journey-phone-channel")


async def told_of(there: Receiver, secret: str, chat: Receiver, requests: dict[str, ReviewRequest]) -> None:
    """The receiver has every decision, signed; the chat has had the critical question, with the way to its page."""
    genuine = WebhookHandler(secret)
    events = [genuine.parse_event(post.body, post.headers) for post in await there.next(len(requests))]
    decided = {event.request_id: event.decision for event in events}
    assert decided.keys() == {one.id for one in requests.values()}
    assert decided[requests["limit"].id] == "rejected" and decided[requests["ticket 1"].id] == "approved"
    limit = requests["limit"]

    async def told() -> bool:
        return any(limit.id in str(post.said) and limit.request_text in str(post.said) for post in chat.posts)

    await eventually(told)


async def a_key_is_made(owner: Person) -> str:
    """On the owner's Keys page; it is shown once."""
    await owner.page.get_by_role("link", name="API keys").click()
    await owner.page.fill("#name", "refund agent")
    await owner.press("Make the key")
    await owner.picture("journey-key")
    key = re.search(r"hitl_live_[\w-]+", await owner.words())
    assert key is not None
    await owner.page.get_by_role("link", name="I have copied them").click()
    assert key[0] not in await owner.words()
    return key[0]


async def asked(agent: AsyncHITLClient, loop_id: str, parcel: str) -> dict[str, ReviewRequest]:
    """Eight questions, by name."""
    agent.client_name = "refund agent"
    found: dict[str, ReviewRequest] = {}
    for name, fields in QUESTIONS.items():
        more = {"image_url": parcel} if name == "parcel" else {}
        new = {"processing_type": "time-sensitive", "timeout_seconds": 7200} | fields | more
        found[name] = (await agent.create_request(loop_id, new)).request
    return found


async def the_phone_asks_back(reviewer: Person, agent: AsyncHITLClient, limit: ReviewRequest) -> None:
    """A question to the agent, an answer, and that answer taken back while nobody has seen it."""
    page = reviewer.page
    await reviewer.go("/")
    await reviewer.picture("journey-phone-inbox")
    await page.get_by_role("link", name="Raise the limit").tap()
    await page.get_by_text("Ask the agent back").tap()
    await page.fill("#question", "Who asked for it?")
    await reviewer.press("Ask the agent")
    await agent.update_request(limit.id, reviewer_answer="The finance team, in ticket 99.")
    await reviewer.go(f"/requests/{limit.id}")
    await reviewer.picture("journey-phone-limit")
    assert "The finance team" in await reviewer.words()
    await expect(page.locator("#draft")).to_be_hidden()
    await reviewer.press("Approve")
    await reviewer.picture("journey-phone-held")
    assert "Undo" in await reviewer.words() and not (await agent.get_request(limit.id)).decision
    await reviewer.press("Undo")
    await reviewer.picture("journey-phone-undone")


async def the_phone_answers(reviewer: Person, requests: dict[str, ReviewRequest]) -> None:
    """Every kind of answer, a hand-over and a step of the ladder."""
    page = reviewer.page

    async def opened(name: str) -> None:
        await reviewer.go(f"/requests/{requests[name].id}")
        await reviewer.picture(f"journey-phone-{name.replace(' ', '-')}")

    await opened("limit")
    await page.fill("#comment", "Not before the audit.")
    await reviewer.press("Reject")

    await opened("orders")
    await page.get_by_text("Hand it to somebody").tap()
    await page.select_option("#whom", label="Ada Lovelace")
    await page.fill("#note", "You know the customer.")
    await reviewer.picture("journey-phone-hand")
    await reviewer.press("Hand it on")
    await page.get_by_text("Escalate", exact=True).tap()
    await page.fill("#reason", "It is due today.")
    await reviewer.press("Escalate it")
    await reviewer.picture("journey-phone-escalated")

    await opened("parcel")
    await reviewer.press("Needs Changes")
    await opened("tone")
    await page.get_by_label("Friendly").check()
    await reviewer.press("Send this answer")
    await opened("sum")
    await page.get_by_role("spinbutton").fill("40")
    await reviewer.press("Send this answer")
    await opened("reply")
    await reviewer.press("Send this answer")
    await reviewer.go("/")
    await page.get_by_role("link", name="2 requests like this: decide together").tap()
    await reviewer.fits()
    await reviewer.picture("journey-phone-similar")
    await reviewer.press("Approve")
    await reviewer.picture("journey-phone-similar-sent")


async def the_owner_looks(owner: Person, reviewer: Person) -> None:
    """Every destination, on the desktop and on the phone; and what the owner has to answer."""
    for path in PLACES:
        name = path.strip("/") or "inbox"
        for who, where in ((owner, "desk"), (reviewer, "phone")):
            await who.go(path)
            await who.picture(f"journey-{where}-{name}")
    await owner.go("/figures")
    await owner.picture("figures")
    await owner.go("/")
    await owner.page.get_by_role("link", name="Refund these orders").click()
    await owner.picture("journey-desk-request")
    await owner.page.fill("#comment", "Both arrived broken.")
    await owner.press("Approve")
    await owner.go("/history")
    assert "Both arrived broken." in await owner.words()
    await owner.page.emulate_media(color_scheme="dark")
    for path in PLACES if WANTED else ():
        await owner.go(path)
        await owner.picture(f"journey-dark-{path.strip('/') or 'inbox'}")


async def out_and_in(reviewer: Person) -> None:
    """Signed out, refused with a wrong password, and in again with the right one."""
    page = reviewer.page
    await reviewer.press("Sign out")
    await reviewer.picture("journey-phone-signed-out")
    await reviewer.go("/sign-in")
    for password in ("wrong wrong wrong", PASSWORD):
        await page.fill("#email", "grace@example.com")
        await page.fill("#password", password)
        await page.get_by_role("button", name="Sign in", exact=True).tap()
        if password != PASSWORD:
            await expect(page.get_by_role("alert")).to_be_visible()
            await reviewer.picture("journey-phone-wrong-password")
    await page.wait_for_url(f"{reviewer.on.origin}/")


async def test_a_team_begins_asks_and_decides(folder: Path) -> None:
    async with AsyncExitStack() as stack:
        box = stack.enter_context(post_office())
        there, chat = stack.enter_context(receiving()), stack.enter_context(receiving())
        chrome = await stack.enter_async_context(browser())
        pictures, _ = await stack.enter_async_context(picture_server())
        mail = SecretStr(box.url)
        on = await stack.enter_async_context(team(folder, outgoing_allow="127.0.0.1", smtp_url=mail))
        owner = await Person.of(on, chrome, DESK)
        reviewer = await Person.of(on, chrome, PHONE, touch=True)
        loop = await the_owner_begins(owner)
        await a_reviewer_joins(owner, reviewer, loop)
        await somebody_is_invited_by_mail(owner, await Person.of(on, chrome, DESK), box, loop)
        secret = await a_webhook_is_added(owner, there)
        await a_channel_is_added(reviewer, chat)
        key = await a_key_is_made(owner)
        async with AsyncHITLClient.at(Fixed(on.endpoint(key))) as agent:
            requests = await asked(agent, loop.removeprefix("/loops/"), f"{pictures}/parcel.png")
            await the_phone_asks_back(reviewer, agent, requests["limit"])
            await owner.go(f"{loop}/edit")
            await owner.page.fill("#undo_seconds", "0")
            await owner.press("Save")
            await the_phone_answers(reviewer, requests)
            await the_owner_looks(owner, reviewer)
            await out_and_in(reviewer)
            ended = {name: await agent.wait_for_decision(one, WAIT) for name, one in requests.items()}
        await told_of(there, secret, chat, requests)
        assert {name: outcome_of(one).value for name, one in ended.items()} == {
            "limit": "rejected", "orders": "approved", "parcel": "needs_changes", "tone": "answered", "sum": "answered",
            "reply": "answered", "ticket 1": "approved", "ticket 2": "approved",
        }  # fmt: skip
        assert (ended["sum"].response_data, ended["tone"].response_data) == (40, "Friendly")
        assert ended["limit"].response_comment == "Not before the audit."
