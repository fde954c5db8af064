"""`python -m tests.catalogue`: collect the interface's texts into `locales/messages.pot`, for translators.

A conflict in that file is resolved by running this again. A translation is made from it with any gettext tool, and
compiled to `locales/LANGUAGE/LC_MESSAGES/messages.mo`.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import write_po

INBOX = Path(__file__).parent.parent / "hitl_mcp" / "service" / "inbox"
TEMPLATE = INBOX / "locales" / "messages.pot"
_HEADER = (
    'msgid ""\nmsgstr ""\n"MIME-Version: 1.0\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    '"Content-Transfer-Encoding: 8bit\\n"\n\n'
)
_METHODS = [("templates/**.html", "jinja2"), ("**.py", "python")]
_OPTIONS = {"templates/**.html": {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}}
_WORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}


def collected() -> Catalog:
    """Every text of the interface."""
    catalog = Catalog(fuzzy=False)
    found = extract_from_dir(INBOX, _METHODS, _OPTIONS, keywords=_WORDS)
    for _file, _line, message, _comments, _context in found:
        catalog.add(message)
    return catalog


def written(catalog: Catalog) -> str:
    """The catalogue as a file: sorted, without dates and places, so that edits elsewhere do not change it."""
    file = io.BytesIO()
    write_po(file, catalog, width=0, no_location=True, omit_header=True, sort_output=True)
    return _HEADER + file.getvalue().decode().strip() + "\n"


def translated(folder: Path, language: str, before: str, after: str) -> None:
    """Write a compiled catalogue that puts every text between two marks: what is left without them is not in it."""
    catalog = Catalog(locale=None, fuzzy=False)
    for message in collected():
        if isinstance(message.id, str):
            catalog.add(message.id, f"{before}{message.id}{after}" if message.id else None)
        else:
            catalog.add(message.id, tuple(f"{before}{part}{after}" for part in message.id))
    path = folder / language / "LC_MESSAGES" / "messages.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, catalog)


def main() -> int:
    """Write the template."""
    text = written(collected())
    TEMPLATE.parent.mkdir(exist_ok=True)
    TEMPLATE.write_text(text, encoding="utf-8")
    print(f"{text.count('msgid ') - 1} texts in {TEMPLATE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
