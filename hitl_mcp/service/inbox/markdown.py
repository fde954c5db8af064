"""The agent's words as safe HTML (H5, H16). Nothing of it is lost, hidden, loaded from elsewhere, or taken for ours.

Markdown becomes HTML without raw HTML, links are judged while they are still tokens, invisible characters become
visible, and nh3 has the last word with a short allow-list.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape, unescape
from urllib.parse import unquote, urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from hitl_mcp.service.inbox.characters import lone_alphabets, may_deceive, pieces
from hitl_mcp.service.inbox.code import CLASSES, coloured

MAX_MARKDOWN = 12_000
"""Longer text is shown as it is, so that nobody can keep the service busy with rendering."""
_MAX_NESTING = 60
_LONG = 8_000
_PARTS = re.compile(r"(?:<mark>[^<]*</mark>|&[#\w]{1,10};|[^&<]){1,4000}")
"""Escaped text in parts that can be cleaned one by one."""

_TAGS = {
    *("p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "h3", "h4", "h5", "h6"),
    *("table", "thead", "tbody", "tr", "th", "td", "a", "mark", "span"),
}
_cleaner = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags=set(),
    attributes={"a": {"href"}, "ol": {"start"}},
    allowed_classes={"span": set(CLASSES)},
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    link_rel="noopener noreferrer nofollow ugc",
    set_tag_attribute_values={"a": {"target": "_blank"}},
)
_plain_cleaner = nh3.Cleaner(tags={"mark"}, attributes={}, clean_content_tags=set(), link_rel=None)


def _highlight(code: str, language: str, _attributes: str) -> str:
    return coloured(code, language.lower()) or ""


_md = MarkdownIt("commonmark", {"html": False, "maxNesting": _MAX_NESTING, "highlight": _highlight}).enable(
    ["table", "strikethrough"]
)
_md.disable("reference")  # a definition would vanish from the page; this way it is read


@dataclass(frozen=True, slots=True)
class OwnAddress:
    """Where this service answers; the agent's links never lead there."""

    host: str
    port: int


def show(text: str) -> Markup:
    """Plain text as HTML in which invisible characters can be seen."""
    html = _reveal(escape(text, quote=False))
    # the cleaner's time grows with the square of what is escaped in one text, and agents write long ones
    parts = _PARTS.findall(html) if len(html) > _LONG else [html]
    if sum(map(len, parts)) != len(html):  # something in it is not what we made
        parts = [html]
    return Markup("".join(map(_plain_cleaner.clean, parts)))


def plain(text: str) -> str:
    """Plain text for places that hold no markup, such as a title: `[U+202E]` for what cannot be seen."""
    return "".join(piece if not code else f"[{code}]" for piece, code in pieces(text, lone_alphabets(text)))


def code(text: str, language: str = "") -> Markup | None:
    """Code or a unified diff in colours; nothing where there is nothing to colour."""
    html = coloured(text, language)
    return None if html is None else Markup(_cleaner.clean(_reveal(html)))


@dataclass(frozen=True, slots=True)
class Rendered:
    """Markdown as HTML. `whole`: every word of the source is in it; else the source must be shown beside it."""

    html: Markup
    whole: bool = True


def render(text: str, own: OwnAddress) -> Rendered:
    """Markdown as HTML."""
    if not text:
        return Rendered(Markup(""))
    tokens = _md.parse(text) if len(text) <= MAX_MARKDOWN else []
    # past the limit the parser would drop what is nested deeper; the person must see all of it
    if not tokens or any(token.level >= _MAX_NESTING - 2 for token in _all(tokens)):
        return Rendered(Markup("<pre>") + show(text) + Markup("</pre>"))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"  # the page's own headings stand above the agent's
        if token.children:
            token.children = _judge(token.children, own)
    html = _md.renderer.render(tokens, _md.options, {})
    return Rendered(Markup(_cleaner.clean(_reveal(html))), _is_whole(text, html))


_NUMBERING = re.compile(r"^(?:[ \t]*>)*(?:[ \t]*[-+*][ \t])*[ \t]*\d{1,9}[.)][ \t]", re.MULTILINE)
_LANGUAGE = re.compile(r'class="language-([\w+#.-]{1,16})"')
_WORD = re.compile(r"[^\W_]+")
_SPAN = re.compile(r"</?span[^<>]*>")
"""What colours code stands within words."""


def _is_whole(text: str, html: str) -> bool:
    """Whether formatting hides nothing: cells beyond a table's width and titles of links, for example, do vanish."""
    parts = _TAG.split(_SPAN.sub("", html))
    seen = [part if not index % 2 else " ".join(_LANGUAGE.findall(part)) for index, part in enumerate(parts)]
    seen += [_md.normalizeLinkText(unescape(href)) for href in re.findall(r'href="([^"]*)"', html)]
    return not _words(_NUMBERING.sub(" ", text)) - _words(" ".join(seen))


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(unquote(unescape(text)).casefold()))


def _all(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or ())


def _judge(tokens: list[Token], own: OwnAddress) -> list[Token]:
    """Images become links, links show where they lead, and links to ourselves become text."""
    judged: list[Token] = []
    start: int | None = None
    for token in tokens:
        if token.type == "link_open":
            start = len(judged)
            judged.append(token)
        elif token.type == "link_close" and start is not None:
            judged = [*judged[:start], *_link(judged[start], judged[start + 1 :], token, own)]
            start = None
        elif token.type == "image":
            judged.extend(_image(token, own, linked=start is not None))
        else:
            judged.append(token)
    return judged


def _link(opening: Token, inner: list[Token], closing: Token, own: OwnAddress) -> list[Token]:
    href = str(opening.attrs.get("href", ""))
    opening.attrs = {"href": href}
    words = "".join(token.content for token in inner)
    target = leads_to(href, own)
    if target is None:
        return [*inner, _text(f" [address: {href}]")] if words != href else inner
    shown = words in (href, href.removeprefix("mailto:"))
    return [opening, *inner, closing, *([] if shown else [_text(f" ({target})")])]


def _image(image: Token, own: OwnAddress, *, linked: bool) -> list[Token]:
    href = str(image.attrs.get("src", ""))
    words = f"image: {image.content}" if image.content else "image"
    if linked:
        return [_text(f"{words} [{href}]")]
    opening, closing = Token("link_open", "a", 1), Token("link_close", "a", -1)
    opening.attrs = {"href": href}
    return _link(opening, [_text(words)], closing, own)


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def leads_to(href: str, own: OwnAddress) -> str | None:
    """The host or mailbox of an address that may be a link; nothing for ours, and for what browsers find malformed."""
    target = _target(href, own)
    return target if target is not None and " href=" in _cleaner.clean(f'<a href="{escape(href)}">') else None


def _target(href: str, own: OwnAddress) -> str | None:
    """The host or mailbox a link leads to, as a browser would read it; nothing when it may not be a link."""
    try:
        url = urlsplit(href)
        port = url.port
    except ValueError:
        return None
    if url.scheme == "mailto":
        return url.path or None
    if url.scheme not in ("http", "https") or not url.hostname or "\\" in unquote(href):
        return None
    try:  # as browsers do: letters of every width are one, and what nobody sees is dropped
        host = unquote(url.hostname).encode("idna").decode("ascii").lower().rstrip(".")
    except UnicodeError:
        return None
    if not host or re.search(r"[\x00-\x20\x7f\s/@?#%<>]", host):
        return None
    if (port or (443 if url.scheme == "https" else 80)) == own.port and _is_here(host, own):
        return None
    return host if port is None else f"{host}:{port}"


def _is_here(host: str, own: OwnAddress) -> bool:
    if host in (own.host, "localhost") or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(host))  # 127.1, 0x7f000001: browsers read these too
        except (OSError, ValueError):
            return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback or address.is_unspecified


_TAG = re.compile(r"(<[^<>]*>)")


def _reveal(html: str) -> str:
    """Put a mark where a character is invisible or looks like another, outside of tags.

    Expects `<` and `>` of the text escaped.
    """
    if not may_deceive(html):
        return html
    parts = _TAG.split(html)
    alone = lone_alphabets("".join(parts[::2]))
    return "".join(
        part if index % 2 else "".join(f"<mark>{code}</mark>" if code else piece for piece, code in pieces(part, alone))
        for index, part in enumerate(parts)
    )
