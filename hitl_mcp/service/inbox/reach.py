"""The page where a person says how they are reached: channels, quiet hours, and from which priority on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hitl_mcp.errors import BadRequest, Conflict, NotFound
from hitl_mcp.service.clock import maybe_moment, moment
from hitl_mcp.service.context import Services
from hitl_mcp.service.inbox.files import file_route
from hitl_mcp.service.inbox.forms import text_of
from hitl_mcp.service.inbox.render import page
from hitl_mcp.service.inbox.session import Visit, check_joined, posted, visit_of
from hitl_mcp.service.inbox.texts import gettext as _
from hitl_mcp.service.notify import channels, preferences, web_push
from hitl_mcp.service.notify.channels import WEB_PUSH, Channel
from hitl_mcp.service.notify.preferences import Preferences
from hitl_mcp.service.notify.quiet import zone_of
from hitl_mcp.service.notify.sender import MessageSender
from hitl_mcp.service.store.base import Tx

_ID = r"[0-9a-f]{24}"
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_LOOP_FIELD = "loop-"
_CHANGES: dict[str, tuple[Literal["enabled", "shows_text"], bool]] = {
    "on": ("enabled", True), "off": ("enabled", False),
    "quoting": ("shows_text", True), "silent": ("shows_text", False),
}  # fmt: skip


class Reach:
    """The handlers.

    Args:
        services: the running service.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._sender = MessageSender(services)

    def routes(self) -> Sequence[Route]:
        """Where they answer."""
        one = "/reach/channels/{channel_id:str}"
        return (
            Route("/reach", self.show),
            Route("/reach", self.save, methods=["POST"]),
            Route("/reach/channels", self.add, methods=["POST"]),
            Route("/reach/browser", self.add_browser, methods=["POST"]),
            Route("/reach/test", self.test_all, methods=["POST"]),
            Route(one + "/test", self.test, methods=["POST"]),
            Route(one + "/change", self.change, methods=["POST"]),
            Route(one + "/remove", self.remove, methods=["POST"]),
            file_route("/sw.js", "sw.js"),
        )

    async def show(self, request: Request) -> Response:
        """The page."""
        return await self._shown(await visit_of(request, self._services))

    async def add(self, request: Request) -> Response:
        """Add a channel of Apprise."""
        visit, form = await posted(request, self._services)
        await check_joined(self._services, visit)
        address, name = text_of(form, "address").strip(), text_of(form, "name").strip()
        user_id = visit.person.user_id
        try:
            quoting = text_of(form, "shows_text") == "1"
            made = await self._sender.add(user_id, address, name, shows_text=quoting)
        except (BadRequest, Conflict) as fault:
            typed = {"address": address, "name": name}
            return await self._shown(visit, 422, add_fault=f"{fault.message}.", typed=typed)
        return _back(made.id)

    async def add_browser(self, request: Request) -> Response:
        """Add the browser that this comes from; its script follows the answer's address."""
        visit, form = await posted(request, self._services)
        await check_joined(self._services, visit)
        user_id = visit.person.user_id
        try:
            address = await web_push.checked(text_of(form, "subscription"), self._services.outgoing)
            name = _browser_of(request.headers.get("user-agent", ""))
            channel_id = await self._services.store.write(lambda tx: channels.add(tx, user_id, WEB_PUSH, name, address))
        except (BadRequest, Conflict) as fault:
            return await self._shown(visit, 422, push_fault=f"{fault.details or fault.message}.")
        return _back(channel_id)

    async def test(self, request: Request) -> Response:
        """Send one channel a message that only shows that it arrives."""
        visit, _form = await posted(request, self._services)
        await check_joined(self._services, visit)
        channel_id = _channel_of(request)
        await self._sender.test(visit.person.user_id, channel_id)
        return _back(channel_id)

    async def test_all(self, request: Request) -> Response:
        """Send one to each channel that is on."""
        visit, _form = await posted(request, self._services)
        await check_joined(self._services, visit)
        user_id = visit.person.user_id
        mine = await self._services.store.read(lambda tx: channels.of_person(tx, user_id))
        async with anyio.create_task_group() as tasks:
            for one in mine:
                if one.enabled:
                    tasks.start_soon(self._sender.test, user_id, one.id)
        return RedirectResponse("/reach#channels", 303)

    async def change(self, request: Request) -> Response:
        """Turn a channel on or off, or have it quote questions or not."""
        visit, form = await posted(request, self._services)
        channel_id, wanted = _channel_of(request), _CHANGES.get(text_of(form, "to"))
        if wanted is None:
            raise BadRequest("There is no such change")
        await self._services.store.write(lambda tx: channels.change(tx, visit.person.user_id, channel_id, *wanted))
        return _back(channel_id)

    async def remove(self, request: Request) -> Response:
        """Forget a channel."""
        visit, _form = await posted(request, self._services)
        channel_id = _channel_of(request)
        await self._services.store.write(lambda tx: channels.remove(tx, visit.person.user_id, channel_id))
        return RedirectResponse("/reach#channels", 303)

    async def save(self, request: Request) -> Response:
        """Keep quiet hours, what breaks through, reminders, and the least priority of each loop."""
        visit, form = await posted(request, self._services)
        least = {
            name.removeprefix(_LOOP_FIELD): text_of(form, name)
            for name in form
            if re.fullmatch(_LOOP_FIELD + _ID, name)
        }
        wanted = Preferences(
            text_of(form, "time_zone") or None, _minutes(text_of(form, "quiet_from")),
            _minutes(text_of(form, "quiet_until")), text_of(form, "breaks_quiet"), text_of(form, "reminders") == "1",
        )  # fmt: skip
        await anyio.to_thread.run_sync(preferences.time_zones)
        try:
            await self._services.store.write(lambda tx: preferences.save(tx, visit.person.user_id, wanted, least))
        except BadRequest as fault:
            return await self._shown(visit, 422, save_fault=f"{fault.message}.")
        return RedirectResponse("/reach#when", 303)

    async def _shown(self, visit: Visit, status: int = 200, **more: Any) -> Response:
        zones = await anyio.to_thread.run_sync(preferences.time_zones)
        user_id = visit.person.user_id

        def read(tx: Tx) -> dict[str, Any]:
            return {
                "channels": [_line(one) for one in channels.of_person(tx, user_id)],
                "wanted": preferences.of_person(tx, user_id),
                "loops": preferences.by_loop(tx, user_id),
                "now": moment(tx.now),
            }

        found = await self._services.store.scan(read)
        wanted: Preferences = found["wanted"]
        here = found["now"].astimezone(zone_of(wanted.time_zone))
        values: dict[str, Any] = {"add_fault": None, "push_fault": None, "save_fault": None,
                                  "typed": {"address": "", "name": ""}}  # fmt: skip
        values |= found | {
            "here": f"{here:%H:%M} {here.tzname()}",
            "quiet_from": _clock(wanted.quiet_from),
            "quiet_until": _clock(wanted.quiet_until),
            "zones": zones,
            "priorities": _priorities(),
            "push_key": web_push.public_key(self._services.keys.proof_secret),
            "is_team": self._services.keys.is_team,
            "public": self._services.keys.public_url is not None,
            "desktop": self._services.is_at_home and user_id == self._services.account.user_id,
        }
        return page("reach.html", status, page="reach", visit=visit, **(values | more))


def _line(one: Channel) -> dict[str, Any]:
    return {"one": one, "sent": maybe_moment(one.last_sent_at), "failed": maybe_moment(one.failed_at)}


def _priorities() -> list[tuple[str, str]]:
    return [
        ("low", _("Every request")),
        ("medium", _("Medium priority and above")),
        ("high", _("High priority and above")),
        ("critical", _("Critical only")),
        ("none", _("Nothing")),
    ]


def _back(channel_id: str) -> Response:
    return RedirectResponse(f"/reach#channel-{channel_id}", 303)


def _channel_of(request: Request) -> str:
    channel_id = str(request.path_params["channel_id"])
    if not re.fullmatch(_ID, channel_id):
        raise NotFound("There is no such channel")
    return channel_id


def _minutes(text: str) -> int | None:
    found = _TIME.fullmatch(text)
    return None if found is None else int(found[1]) * 60 + int(found[2])


def _clock(minutes: int | None) -> str:
    return "" if minutes is None else f"{minutes // 60:02}:{minutes % 60:02}"


def _browser_of(agent: str) -> str:
    """A browser and its system in two words, as far as it says."""
    browsers = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
    systems = {"Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows", "Mac OS": "macOS",
               "CrOS": "ChromeOS", "Linux": "Linux"}  # fmt: skip
    browser = next((name for mark, name in browsers.items() if mark in agent), _("A browser"))
    system = next((name for mark, name in systems.items() if mark in agent), None)
    return browser if system is None else _("{browser} on {system}").format(browser=browser, system=system)
