"""The interface's texts: English in the code, every other language from a gettext catalogue.

Templates say `{{ _("Sign out") }}` or `{% trans count=n %}...{% pluralize %}...{% endtrans %}`, Python says `_("...")`,
and `N_("...")` where a text is only named and said later. `python -m tests.catalogue` collects them into
`locales/messages.pot`. What an agent or a person wrote is never one.
"""

from __future__ import annotations

import gettext as standard
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

LOCALES = Path(__file__).parent / "locales"
_DOMAIN = "messages"
_FROM_RIGHT = frozenset(("ar", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "ug", "ur", "yi"))


@dataclass(frozen=True, slots=True)
class Language:
    """A language of the interface. `code` as in HTML's `lang`; `direction` is `ltr` or `rtl`."""

    code: str
    catalogue: standard.NullTranslations

    @property
    def direction(self) -> str:
        """As in HTML's `dir`."""
        return "rtl" if _base(self.code) in _FROM_RIGHT else "ltr"


ENGLISH = Language("en", standard.NullTranslations())
_spoken: ContextVar[Language] = ContextVar("language", default=ENGLISH)


def gettext(text: str) -> str:
    """The text in the language of whoever asked."""
    return _spoken.get().catalogue.gettext(text)


def ngettext(one: str, many: str, count: int) -> str:
    """The text for a number of things."""
    return _spoken.get().catalogue.ngettext(one, many, count)


def N_(text: str) -> str:  # noqa: N802  # gettext's own name for it
    """The text itself, marked for the catalogue; `_()` says it later."""
    return text


_ = gettext


def spoken() -> Language:
    """The language of whoever asked."""
    return _spoken.get()


def known_languages(*folders: Path) -> dict[str, Language]:
    """English, and each language with a compiled catalogue at `LANGUAGE/LC_MESSAGES/messages.mo`; later folders win."""
    found = {ENGLISH.code: ENGLISH}
    for folder in folders:
        for path in sorted(folder.glob(f"*/LC_MESSAGES/{_DOMAIN}.mo")):
            code = path.parent.parent.name.replace("_", "-")
            with path.open("rb") as file:
                found[code.lower()] = Language(code, standard.GNUTranslations(file))
    return found


def wanted(accept: str, known: dict[str, Language]) -> Language:
    """The first of a browser's languages (its Accept-Language) that there is; else English."""
    asked: list[tuple[float, str]] = []
    for part in accept.split(","):
        code, _, weight = part.strip().partition(";")
        try:
            asked.append((float(weight.strip().removeprefix("q=") or 1), code.strip().lower()))
        except ValueError:
            continue
    for weight, code in sorted(asked, key=lambda one: -one[0]):
        language = known.get(code) or known.get(_base(code))
        if weight > 0 and language is not None:
            return language
    return ENGLISH


def _base(code: str) -> str:
    return code.partition("-")[0].lower()


class Languages:
    """Lets `app` speak the language that each browser asks for.

    Args:
        app: the pages.
        folder: further translations than the shipped ones, or None.
    """

    def __init__(self, app: ASGIApp, folder: Path | None = None) -> None:
        self._app = app
        self._known = known_languages(LOCALES, *([folder] if folder is not None else []))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or len(self._known) == 1:
            await self._app(scope, receive, send)
            return
        token = _spoken.set(wanted(Headers(scope=scope).get("accept-language", ""), self._known))
        try:
            await self._app(scope, receive, send)
        finally:
            _spoken.reset(token)
