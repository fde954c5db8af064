"""A team's server on which everything has happened once, and its people, each with a browser of their own.

What is checked on every page (that it is accessible, that nothing in it runs, that looking changes nothing) is checked
here. `places.py` says which pages there are; a new page is added there, and what it shows is made in `_fill`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from playwright.async_api import Browser, BrowserContext
from pydantic import SecretStr
from sqlalchemy import select, update

from hitl_mcp.contract import routes
from hitl_mcp.contract.escalation import Ladder
from hitl_mcp.contract.states import Channel
from hitl_mcp.contract.webhooks import NewWebhook
from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.sdk.local import ask
from hitl_mcp.service.actors import Person
from hitl_mcp.service.clock import wall_clock
from hitl_mcp.service.notify import channels
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import loops, members, requests
from hitl_mcp.service.webhooks import endpoints
from tests.inbox.test_answers import TYPES
from tests.inbox.test_forms import FIELDS
from tests.served.pictures import picture_server
from tests.served.team import Team, team
from tests.served.visitor import PASSWORD, post_office
from tests.world import WAIT, Reviewer, SimulatedClock

OWNER, REVIEWER, VIEWER, NEWCOMER, STRANGER = "owner", "reviewer", "viewer", "newcomer", "stranger"
PEOPLE = (OWNER, REVIEWER, VIEWER, NEWCOMER, STRANGER)
RTL = "האם לאשר את ההעברה?"
NAMES = {REVIEWER: "רות כהן", VIEWER: "Vic Viewer", NEWCOMER: "نور"}
HIDDEN = "Pay \u202eEUR 9\u202c to a\u200bda"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
WORDS = f"""# Move 40 EUR to Ada?

{RTL}

| account | amount |
|---|---|
| {LONG} | 40 |

```python
def pay(amount: int) -> None: ...
```

> {HIDDEN}, see [the invoice](https://invoices.example/1) and ![a chart](https://charts.example/1.png)
"""
CONTEXT: dict[str, Any] = {
    "details": WORDS, "amount": 40, RTL: RTL, "nested": {"list": [1, {"deep": LONG}], "empty": {}, "none": None},
    "hidden": HIDDEN, "sure": True,
}  # fmt: skip


@dataclass
class Human:
    """Somebody with a browser; the stranger's knows no session."""

    name: str
    context: BrowserContext
    session: str = ""
    user_id: str = ""


@dataclass
class Gallery:
    """The server.

    Attributes:
        key: may do everything a key may.
        loop_id: the loop that everybody is in; `own_loop` is the owner's alone.
        asked: the ids of requests, by what is special about them.
        held: values for what else stands in addresses, such as `code`.
    """

    on: Team
    clock: SimulatedClock
    chrome: Browser
    pictures: str
    key: Endpoint
    loop_id: str
    own_loop: str = ""
    asked: dict[str, str] = field(default_factory=dict[str, str])
    held: dict[str, str] = field(default_factory=dict[str, str])
    people: dict[str, Human] = field(default_factory=dict[str, Human])

    @property
    def origin(self) -> str:
        """Where the pages are."""
        return self.on.origin

    def http(self, who: str = STRANGER, **headers: str) -> httpx2.AsyncClient:
        """A program with this person's session that says it comes from the server's pages."""
        session = self.people[who].session if who in self.people else ""
        cookie = {"Cookie": f"hitl_session={session}"} if session else {}
        sent = {"Origin": self.origin, "Host": self.origin.removeprefix("http://")} | cookie | headers
        address = f"http://127.0.0.1:{self.on.services.keys.port}"
        return httpx2.AsyncClient(base_url=address, headers=sent, timeout=WAIT)

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A call with the agent's key."""
        return await ask(self.key, method, path, body)

    async def ask(self, text: str = "May I?", *, loop_id: str = "", **fields: Any) -> str:
        """A new question, or with no response type an approval; its id."""
        kind = {} if "response_type" in fields else {"kind": "approval"}
        path = routes.LOOP_REQUESTS.format(loop_id=loop_id or self.loop_id)
        return str((await self.call("POST", path, {"request_text": text} | kind | fields))["request_id"])

    async def similar(self, request_id: str) -> str:
        """What a request has in common with others; part of an address."""
        found = select(requests.c.similar).where(requests.c.id == request_id)
        return str(await self.on.services.store.read(lambda tx: tx.connection.execute(found).scalar()))

    async def undo_seconds(self, seconds: int) -> None:
        """How long an answer in the loop can be taken back, from now on, also by the browser's clock."""
        self.clock.now = max(self.clock.now, wall_clock())
        change = update(loops).where(loops.c.id == self.loop_id).values(undo_seconds=seconds or None)
        await self.on.services.store.write(lambda tx: tx.connection.execute(change) and None)

    async def at_terminal(self, who: str) -> Reviewer:
        """The person, at the terminal's API."""
        address = f"{who}@example.com" if who != OWNER else None
        made = await self.on.console("POST", routes.SIGN_INS, {"typed": True, "email": address})
        token = (await self.on.console("POST", routes.SESSIONS, {"code": made["code"]}))["token"]
        return Reviewer(self.on.endpoint(token))

    async def sign_in(self, who: str) -> None:
        """Give the person a session of the inbox, and their browser its cookie."""
        address = f"{who}@example.com" if who != OWNER else None
        async with self.http() as client:
            made = await client.post("/sign-in", data={"code": await self.on.code(address)})
        human = self.people[who]
        human.session = str(made.cookies["hitl_session"])
        await human.context.add_cookies(
            [{"name": "hitl_session", "value": human.session, "url": self.origin, "httpOnly": True,
              "sameSite": "Strict"}]
        )  # fmt: skip


@asynccontextmanager
async def open_gallery(folder: Path, chrome: Browser) -> AsyncGenerator[Gallery]:
    """The gallery, filled."""
    clock = SimulatedClock()
    async with AsyncExitStack() as stack:
        pictures, _ = await stack.enter_async_context(picture_server())
        mail = SecretStr(stack.enter_context(post_office()).url)
        on = await stack.enter_async_context(team(folder, clock=clock, outgoing_allow="127.0.0.1", smtp_url=mail))
        key = on.endpoint(await on.key(name="The agents' key"))
        loop = (await ask(key, "GET", routes.LOOPS))["loops"][0]
        gallery = Gallery(on, clock, chrome, pictures, key, loop["id"], held={"folder": str(folder)})
        for who in PEOPLE:
            context = await chrome.new_context(reduced_motion="reduce")
            stack.push_async_callback(context.close)
            context.set_default_timeout(WAIT * 1000)
            gallery.people[who] = Human(who, context)
        await _people(gallery)
        gallery.held |= await _of_the_owner(gallery)
        await _questions(gallery)
        await _under_way(gallery)
        await _ladder(gallery)
        yield gallery


async def _people(gallery: Gallery) -> None:
    """A loop with an owner, a reviewer, a viewer and somebody who waits; and a loop of the owner alone."""
    members_of = routes.MEMBERS.format(loop_id=gallery.loop_id)
    await gallery.sign_in(OWNER)
    for who in (REVIEWER, VIEWER):
        made = await gallery.call("POST", members_of, {"email": f"{who}@example.com", "name": NAMES[who]})
        gallery.people[who].user_id = made["member"]["user_id"]
        async with gallery.http(OWNER) as client:
            token = token_of((await client.get("/people")).text)
            form = {"token": token, "loop": gallery.loop_id, "user": gallery.people[who].user_id}
            assert (await client.post("/people/confirm", data=form)).status_code == 303
        await gallery.sign_in(who)
    async with gallery.http(VIEWER) as client:
        form = {"token": token_of((await client.get("/account")).text)} | dict.fromkeys(("new", "again"), PASSWORD)
        assert (await client.post("/account/password", data=form)).status_code == 200
    viewer = update(members).where(members.c.user_id == gallery.people[VIEWER].user_id).values(role="viewer")
    await gallery.on.services.store.write(lambda tx: tx.connection.execute(viewer) and None)
    gallery.held["user_id"] = gallery.people[REVIEWER].user_id
    gallery.held["key_id"] = (await gallery.on.console("GET", routes.KEYS))["keys"][-1]["id"]
    made = await gallery.call("POST", routes.LOOP_INVITE.format(loop_id=gallery.loop_id))
    gallery.held["code"] = made["invite_code"]
    async with gallery.http() as client:
        form = {"name": NAMES[NEWCOMER], "email": f"{NEWCOMER}@example.com"}
        joined = await client.post(f"/join/{gallery.held['code']}", data=form)
    newcomer = gallery.people[NEWCOMER]
    newcomer.session = str(joined.cookies["hitl_session"])
    await newcomer.context.add_cookies([{"name": "hitl_session", "value": newcomer.session, "url": gallery.origin}])
    made = await gallery.call("POST", routes.LOOPS, {"name": "Owner's own", "icon": "lock", "description": RTL})
    gallery.own_loop = made["loop"]["id"]


async def _of_the_owner(gallery: Gallery) -> dict[str, str]:
    """What belongs to the owner alone; nothing of it is called."""
    owner = gallery.on.services.account.user_id

    def make(tx: Tx) -> dict[str, str]:
        channel = channels.add(tx, owner, channels.APPRISE, f"{RTL} ({LONG})", "json://evil.example", shows_text=True)
        channels.change(tx, owner, channel, "enabled", on=False)
        new = NewWebhook(url=f"https://hooks.example/{LONG}", events=["*"], description=RTL, enabled=False)
        return {"channel_id": channel, "webhook_id": endpoints.create(tx, endpoints.Owner(owner), new).id}

    return await gallery.on.services.store.write(make)


async def _ladder(gallery: Gallery) -> None:
    """One for the owner's own loop, with two steps."""
    owner = gallery.on.services.account.user_id
    steps = [
        {"after_percent": 50, "to_people": [owner], "on_option": LONG},
        {"nobody_reachable": True, "to_loop": gallery.loop_id, "raise_priority_to": "critical", "extend_minutes": 5},
    ]
    ladder = Ladder.model_validate({"steps": steps})
    await gallery.on.services.lifecycle.set_ladder(Person(owner, "Owner", Channel.INBOX), gallery.own_loop, ladder)
    gallery.held["own_loop"] = gallery.own_loop


async def _questions(gallery: Gallery) -> None:
    """Requests in every state."""
    asked, ruth, owner = gallery.asked, await gallery.at_terminal(REVIEWER), await gallery.at_terminal(OWNER)
    asked["expired"] = await gallery.ask(WORDS, processing_type="time-sensitive", timeout_seconds=60)
    gallery.clock.move(61)
    await gallery.on.services.lifecycle.act_on_due()
    for kind in TYPES:
        if (name := kind.name) in asked:
            name = f"{name} as a number"
        asked[name] = await gallery.ask(f"A question: {name}", **kind.fields)
    asked["form"] = await gallery.ask("Please check.", response_type="form", response_config={"fields": FIELDS})
    asked["words"] = await gallery.ask(WORDS[:1900], context=CONTEXT, priority="critical", tags=[RTL, "money"])
    asked["hidden"] = await gallery.ask(HIDDEN, context={HIDDEN: HIDDEN}, priority="high")
    asked["rtl"] = await gallery.ask(RTL, context={"details": RTL}, priority="low")
    asked["picture"] = await gallery.ask(
        "Publish it?", type="image", image_url=f"{gallery.pictures}/a.png", file_url="https://files.example/c.pdf",
        file_name=f"{RTL}.pdf", video_urls=["https://files.example/v.mp4"], audio_url="https://files.example/a.mp3",
    )  # fmt: skip
    asked["late"] = await gallery.ask("Due?", due_at="2020-01-01T00:00:00Z", context={"wide": [LONG] * 3})
    asked["elsewhere"] = await gallery.ask("The owner's own question 1", loop_id=gallery.own_loop)
    await gallery.ask("The owner's own question 2", loop_id=gallery.own_loop)
    gallery.held["digest"] = await gallery.similar(asked["elsewhere"])
    asked["elsewhere closed"] = await gallery.ask("The owner's own question, answered", loop_id=gallery.own_loop)
    await owner.answer(asked["elsewhere closed"], "approve", comment="The owner's own question and comment")
    asked["alike"] = await gallery.ask("Delete host 17?", context={"size": 1})
    for number in (18, 19):
        await gallery.ask(f"Delete host {number}?", context={"size": number, RTL: LONG})
    gallery.held["alike"] = await gallery.similar(asked["alike"])
    for name, reviewer in {"claimed by me": ruth, "claimed by another": owner}.items():
        asked[name] = await gallery.ask(f"One that is {name}")
        await reviewer.do(routes.REQUEST_CLAIM, asked[name])
    for name in ("approve", "reject", "needs_changes"):
        asked[name] = await gallery.ask(f"One to {name}")
        await (owner if name == "reject" else ruth).answer(asked[name], name, comment=RTL)
    for kind in (*(kind for kind in TYPES if kind.name != "approval"),):
        if f"{kind.name} answered" not in asked:
            asked[f"{kind.name} answered"] = await gallery.ask(f"Answered {kind.name}", **kind.fields)
            await ruth.answer(asked[f"{kind.name} answered"], kind.answer, comment=LONG)
    asked["cancelled"] = await gallery.ask("Withdrawn")
    await gallery.call("DELETE", routes.REQUEST.format(request_id=asked["cancelled"]))
    asked["changed"] = await gallery.ask("The old text", context={"old": 1})
    change = {"request_text": f"The new text {RTL}", "context": {"new": [LONG]}, "priority": "high"}
    await gallery.call("PATCH", routes.REQUEST.format(request_id=asked["changed"]), change)


async def _under_way(gallery: Gallery) -> None:
    """Requests with which people have done something, and which are still open."""
    asked, ruth, owner = gallery.asked, await gallery.at_terminal(REVIEWER), await gallery.at_terminal(OWNER)
    for name in ("asked back", "asked back answered"):
        asked[name] = await gallery.ask(f"One that is {name}", context={"wide": LONG})
        await ask(ruth.session, "POST", routes.REQUEST_ASK.format(request_id=asked[name]), {"question": WORDS})
    answer = {"reviewer_answer": f"{WORDS}\n{LONG}"[:1900]}
    await gallery.call("PATCH", routes.REQUEST.format(request_id=asked["asked back answered"]), answer)
    asked["handed on"] = await gallery.ask("One that is handed on")
    to_owner = {"user_id": gallery.on.services.account.user_id, "note": f"{RTL} {LONG}"}
    await ask(ruth.session, "POST", routes.REQUEST_REASSIGN.format(request_id=asked["handed on"]), to_owner)
    made = await gallery.call("POST", routes.LOOPS, {"name": f"Climbs {RTL}", "icon": "lock"})
    steps = [{"raise_priority_to": "high", "extend_minutes": 5},
             {"to_loop": gallery.loop_id, "raise_priority_to": "critical"}]  # fmt: skip
    person = Person(gallery.on.services.account.user_id, "Owner", Channel.INBOX)
    ladder = Ladder.model_validate({"steps": steps})
    await gallery.on.services.lifecycle.set_ladder(person, made["loop"]["id"], ladder)
    for name, reasons in {"on a ladder": [], "escalated": [LONG], "escalated here": [RTL, LONG]}.items():
        asked[name] = await gallery.ask(f"One that is {name}", loop_id=made["loop"]["id"])
        for reason in reasons:
            path = routes.REQUEST_ESCALATE.format(request_id=asked[name])
            await ask(owner.session, "POST", path, {"reason": reason})


def token_of(page: str) -> str:
    """The form token of a page."""
    return page.partition('name="token" value="')[2].partition('"')[0]
