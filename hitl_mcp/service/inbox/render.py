"""Templates to responses. Everything is escaped; only `markdown.py` makes HTML out of text, and nh3 cleans it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from hitl_mcp.service.inbox import words
from hitl_mcp.service.inbox.context import count
from hitl_mcp.service.inbox.markdown import code, plain, show
from hitl_mcp.service.inbox.narrowing import priorities
from hitl_mcp.service.inbox.shown import table_of
from hitl_mcp.service.inbox.texts import gettext, ngettext, spoken

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    extensions=["jinja2.ext.i18n"],
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.install_gettext_callables(gettext, ngettext, newstyle=True)  # pyright: ignore  # from the i18n extension
_filters: dict[str, Any] = _templates.filters
_filters |= {
    "code_in": code,
    "show": show,
    "table_of": table_of,
    "values_in": count,
    "plain": plain,
    "when": words.when,
    "exactly": words.exactly,
    "left": words.left,
    "iso": words.iso,
}
_DEFAULTS: dict[str, Any] = {
    "visit": None,
    "open_count": None,
    "page": "message",
    "request_id": None,
}


def page(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A template as a response."""
    said = {"language": spoken(), "priorities": priorities()}
    return HTMLResponse(_templates.get_template(name).render(_DEFAULTS | said | values), status)


def message(title: str, *paragraphs: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page that only says something.

    Args:
        values: `sign_in` leads to where a code is typed; `open_again` offers to open the inbox signed in; `typed` shows
            what would else be lost; `back` is where a link leads on.
    """
    defaults: dict[str, Any] = {"open_again": False, "sign_in": False, "command": None, "typed": (), "back": None}
    return page("message.html", status, **(defaults | {"title": title, "paragraphs": paragraphs} | values))
