"""Code and differences in colours: classes of our style sheet round the same characters, none more and none fewer."""

from __future__ import annotations

import re
import time
from html import escape

from pygments.lexer import Lexer
from pygments.lexers import find_lexer_class_by_name
from pygments.token import STANDARD_TYPES, Token
from pygments.util import ClassNotFound

LANGUAGES = frozenset(
    ("python", "py", "javascript", "js", "typescript", "ts", "jsx", "tsx", "json", "yaml", "yml", "bash", "sh", "shell",
     "console", "sql", "diff", "patch", "html", "css", "xml", "go", "rust", "rs", "java", "kotlin", "swift", "c", "cpp",
     "c++", "csharp", "cs", "ruby", "rb", "php", "toml", "ini", "dockerfile", "docker", "hcl", "terraform", "make",
     "powershell", "nginx", "graphql")
)  # fmt: skip
"""What is coloured; any other language is shown as it is."""
CLASSES = frozenset(name for name in STANDARD_TYPES.values() if name)
MAX_CODE = 12_000
MAX_LEXED = 4_000
"""Longer code is not coloured: one expression of a lexer may take time that grows with the square of the text, and
while it runs nothing else does."""
MAX_SECONDS = 0.15
"""Of a core, for one text. Ordinary code takes a tenth of it; code made for that would take some lexers minutes."""
_DIFF = re.compile(r"^--- .+\n\+\+\+ .+\n@@ -\d+(,\d+)? \+\d+(,\d+)? @@", re.MULTILINE)
_DIFF_LINE = {"+": "gi", "-": "gd", "@": "gu"}


def is_diff(text: str) -> bool:
    """Whether a text is a unified diff."""
    return _DIFF.search(text) is not None


def coloured(code: str, language: str) -> str | None:
    """HTML of spans, or nothing where there is nothing to colour.

    Args:
        language: what the author called it; without one only a unified diff is known by its looks.
    """
    if len(code) > MAX_CODE:
        return None
    if language in ("diff", "patch") or (not language and is_diff(code)):
        return _difference(code)
    if language not in LANGUAGES or len(code) > MAX_LEXED:
        return None
    try:
        lexer: Lexer = find_lexer_class_by_name(language)(stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
    tokens = _tokens_in_time(lexer, code)
    # a lexer may rewrite what it reads; the person sees what was sent
    if tokens is None or "".join(text for _, text in tokens) != code:
        return None
    return "".join(_span(_class_of(kind), text) for kind, text in tokens)


def _tokens_in_time(lexer: Lexer, code: str) -> list[tuple[object, str]] | None:
    """What the lexer makes of it; None when it takes too long, so that an agent's text holds nobody up."""
    until = time.thread_time() + MAX_SECONDS
    tokens: list[tuple[object, str]] = []
    for token in lexer.get_tokens(code):
        tokens.append(token)
        if time.thread_time() > until:
            return None
    return tokens


def _difference(code: str) -> str:
    """Line by line: what a lexer knows of a difference is not more."""
    lines: list[str] = []
    for line in code.splitlines(keepends=True):
        heads = line.startswith(("+++", "---", "diff ", "index "))
        lines.append(_span("gh" if heads else _DIFF_LINE.get(line[:1], ""), line))
    return "".join(lines)


def _class_of(kind: object) -> str:
    while kind is not Token:
        name = STANDARD_TYPES.get(kind)  # pyright: ignore[reportArgumentType]
        if name:
            return name
        kind = getattr(kind, "parent", Token)
    return ""


def _span(name: str, text: str) -> str:
    shown = escape(text, quote=False)
    return f'<span class="{name}">{shown}</span>' if name else shown
