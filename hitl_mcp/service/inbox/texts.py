"""The interface's texts: English in the code, every other language from a gettext catalogue.

Templates say `{{ _("Sign out") }}` or `{% trans count=n %}...{% pluralize %}...{% endtrans %}`, Python says `_("...")`.
`python -m tests.catalogue` collects them into `locales/messages.pot`. What an agent or a person wrote is never one.
"""

from __future__ import annotations

import gettext as standard

_language = standard.NullTranslations()


def gettext(text: str) -> str:
    """The text in the language of the interface."""
    return _language.gettext(text)


def ngettext(one: str, many: str, count: int) -> str:
    """The text for a number of things."""
    return _language.ngettext(one, many, count)


_ = gettext
