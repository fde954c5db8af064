"""What a list is narrowed to, as it stands in the address: readable, bookmarkable, and never a reason to fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from hitl_mcp.contract.answers import ResponseType
from hitl_mcp.contract.ids import is_id
from hitl_mcp.contract.states import Kind
from hitl_mcp.service.clock import milliseconds
from hitl_mcp.service.inbox.texts import _
from hitl_mcp.service.search import closed, waiting
from hitl_mcp.service.search.matching import MAX_SEARCH, PAGE

MAX_PAGE = 100_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a list somebody is.

    Attributes:
        given: what stands in the address and means something, without the page.
        page: from 1.
        total: how many match on all pages.
    """

    path: str
    given: Mapping[str, str]
    page: int
    total: int

    @property
    def last(self) -> int:
        """The number of the last page."""
        return max(1, -(-self.total // PAGE))

    @property
    def first_shown(self) -> int:
        """The place of the first one shown, from 1."""
        return PAGE * (self.page - 1) + 1

    @property
    def last_shown(self) -> int:
        """The place of the last one shown."""
        return min(self.total, PAGE * self.page)

    def at(self, page: int) -> str:
        """The address of another page."""
        return self._address(dict(self.given) | ({"page": str(page)} if page > 1 else {}))

    def without(self, name: str) -> str:
        """The address with one filter less, at its first page."""
        return self._address({key: value for key, value in self.given.items() if key != name})

    def _address(self, query: Mapping[str, str]) -> str:
        return f"{self.path}?{urlencode(query)}" if query else self.path


def priorities() -> dict[str, str]:
    """Each priority as a person reads it."""
    return {"critical": _("Critical"), "high": _("High"), "medium": _("Medium"), "low": _("Low")}


def kinds() -> dict[str, str]:
    """What can be asked, as a person reads it."""
    return {
        Kind.APPROVAL.value: _("Approvals"),
        ResponseType.SINGLE_SELECT.value: _("One of several"),
        ResponseType.MULTI_SELECT.value: _("Several of several"),
        ResponseType.BOOLEAN.value: _("Yes or no"),
        ResponseType.RATING.value: _("Ratings"),
        ResponseType.NUMBER.value: _("Numbers"),
        ResponseType.TEXT.value: _("Texts"),
        ResponseType.EDITABLE_TEXT.value: _("Drafts"),
        ResponseType.FORM.value: _("Forms"),
    }


def owners() -> dict[str, str]:
    """Whose a request is, as a person reads it."""
    return {
        "me": _("Mine: assigned to me or claimed by me"),
        "assigned": _("Assigned to me"),
        "claimed": _("Claimed by anybody"),
        "free": _("Nobody else's"),
    }


def outcomes() -> dict[str, str]:
    """How a request ended, as a person reads it."""
    return {
        "approved": _("Approved"),
        "rejected": _("Rejected"),
        "needs_changes": _("Needs changes"),
        "answered": _("Answered"),
        "timeout": _("Nobody answered in time"),
        "cancelled": _("Withdrawn by the agent"),
    }


def _known(query: QueryParams, allowed: Mapping[str, Mapping[str, str] | None]) -> dict[str, str]:
    """What the address says and a filter knows; anything else is as if it were not there."""
    given: dict[str, str] = {}
    for name, values in allowed.items():
        value = query.get(name, "").strip()
        if value and (is_id(value) if values is None else value in values):
            given[name] = value
    search = query.get("q", "")[:MAX_SEARCH].strip()
    return given | ({"q": search} if search else {})


def page_of(query: QueryParams) -> int:
    """The page that the address names; the first when it names none."""
    text = query.get("page", "1")
    return min(MAX_PAGE, max(1, int(text))) if text.isascii() and text.isdigit() and len(text) < 10 else 1


def waiting_filter(query: QueryParams) -> tuple[waiting.Filter, dict[str, str]]:
    """What the list is narrowed to, and the same as it stands in the address."""
    overdue = {"1": ""}
    allowed = {"loop": None, "priority": priorities(), "kind": kinds(), "who": owners()}
    given = _known(query, allowed | {"overdue": overdue})
    wanted = waiting.Filter(
        loop_id=given.get("loop", ""), priority=given.get("priority", ""), kind=given.get("kind", ""),
        who=given.get("who", ""), overdue="overdue" in given, search=given.get("q", ""),
    )  # fmt: skip
    return wanted, given


def closed_filter(query: QueryParams) -> tuple[closed.Filter, dict[str, str]]:
    """What the history is narrowed to, and the same as it stands in the address. Days are the machine's own."""
    given = _known(query, {"loop": None, "person": None, "outcome": outcomes()})
    since, until = (_day(query.get(name, "")) for name in ("from", "to"))
    given |= {name: f"{day:%Y-%m-%d}" for name, day in (("from", since), ("to", until)) if day is not None}
    wanted = closed.Filter(
        loop_id=given.get("loop", ""), person_id=given.get("person", ""), outcome=given.get("outcome", ""),
        since=None if since is None else milliseconds(since.astimezone()),
        until=None if until is None else milliseconds((until + timedelta(days=1)).astimezone()),
        search=given.get("q", ""),
    )  # fmt: skip
    return wanted, given


def _day(text: str) -> datetime | None:
    """A day as a browser's date field sends it."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d")  # a day of this machine, as the page shows it
    except ValueError:
        return None
    return day if 1971 <= day.year <= 9000 else None
