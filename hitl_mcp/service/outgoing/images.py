"""One picture that an agent named, fetched once through the guard, so that every person sees the same bytes (H5)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio

from hitl_mcp.errors import BadRequest, HITLError, Unreachable
from hitl_mcp.service.outgoing.guard import Answer, Outgoing
from hitl_mcp.service.outgoing.wire import parsed, shown

MAX_BYTES = 10 * 1024 * 1024
MAX_TOTAL_BYTES = 20 * 1024 * 1024
MAX_PIECES = 20_000
"""Reads of one body. Chunks of a byte each would keep the event loop busy for as long as the fetch may take."""
MAX_IMAGES = 10
MAX_REDIRECTS = 3
FETCH_SECONDS = 10.0

_UNUSABLE = "The image cannot be used"
_ACCEPTED = "Accepted are PNG, JPEG, GIF and WebP, not SVG"
_HEAD = 12
"""Bytes that tell every accepted type from everything else."""


@dataclass(frozen=True, slots=True)
class Image:
    """A picture as it was at the time of asking; `digest` is the SHA-256 of `data` in hex."""

    url: str
    content_type: str
    data: bytes = field(repr=False)
    digest: str


@dataclass(slots=True)
class _Budget:
    """Bytes that the pictures of one question may still take together."""

    left: int = MAX_TOTAL_BYTES


async def fetch_image(outgoing: Outgoing, url: str, *, seconds: float = FETCH_SECONDS) -> Image:
    """Fetch one picture; what it is, its first bytes tell, whatever its server says.

    Args:
        outgoing: the guard.
        url: where the agent says it is.
        seconds: bound of the whole fetch, redirects included.

    Raises: BadRequest with a sentence the asking model can act upon.
    """
    return await _fetch(outgoing, url, seconds, _Budget())


async def fetch_images(outgoing: Outgoing, urls: Sequence[str], *, seconds: float = FETCH_SECONDS) -> list[Image]:
    """Fetch the pictures of one question at once, in the order of `urls`; an address named twice is fetched once.

    Args:
        outgoing: the guard.
        urls: at most `MAX_IMAGES`.
        seconds: bound of each fetch; they run at the same time.

    Raises: BadRequest for the first picture that cannot be had; the others are then dropped.
    """
    if len(urls) > MAX_IMAGES:
        raise BadRequest("Too many images", f"{len(urls)} images were given; at most {MAX_IMAGES} are accepted")
    budget = _Budget()
    found: dict[str, Image] = {}
    failures: list[HITLError] = []

    async def one(url: str) -> None:
        try:
            found[url] = await _fetch(outgoing, url, seconds, budget)
        except HITLError as error:
            failures.append(error)
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for url in dict.fromkeys(urls):
            tasks.start_soon(one, url)
    if failures:
        raise failures[0]
    return [found[url] for url in urls]


async def _fetch(outgoing: Outgoing, url: str, seconds: float, budget: _Budget) -> Image:
    try:
        with anyio.fail_after(seconds):
            async with outgoing.open(url, headers={"Accept": "image/*"}, redirects=MAX_REDIRECTS) as answer:
                return await _read(url, answer, budget)
    except TimeoutError:
        raise _unusable(url, f"was not there within {seconds:g} seconds. Try again, or use a faster address") from None
    except Unreachable as error:
        raise BadRequest(_UNUSABLE, str(error)) from error


async def _read(url: str, answer: Answer, budget: _Budget) -> Image:
    if answer.status != 200:
        raise _unusable(url, f"was answered with status {answer.status}, not with an image")
    if answer.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise _unusable(url, "is sent compressed although asked not to. Use another address")
    length = answer.headers.get("Content-Length", "")
    if length.isdecimal() and int(length[:20]) > MAX_BYTES:
        raise _too_large(url)
    body, digest, pieces = bytearray(), hashlib.sha256(), 0
    async for chunk in answer.chunks:
        pieces += 1
        if pieces > MAX_PIECES:
            raise _unusable(url, "is sent in too many small pieces. Use another address")
        began = len(body) >= _HEAD
        body += chunk
        digest.update(chunk)
        budget.left -= len(chunk)
        if len(body) >= _HEAD and not began:
            _type_of(url, bytes(body[:_HEAD]))  # no reason to wait for the rest of something else
        if len(body) > MAX_BYTES:
            raise _too_large(url)
        if budget.left < 0:
            raise BadRequest(
                _UNUSABLE, f"The images together are larger than {MAX_TOTAL_BYTES // 1024**2} MiB. Send fewer"
            )
    return Image(url, _type_of(url, bytes(body[:_HEAD])), bytes(body), digest.hexdigest())


def _type_of(url: str, head: bytes) -> str:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    raise _unusable(url, f"is not an image that can be shown. {_ACCEPTED}")


def _too_large(url: str) -> BadRequest:
    return _unusable(url, f"is larger than {MAX_BYTES // 1024**2} MiB. Use a smaller image")


def _unusable(url: str, why: str) -> BadRequest:
    return BadRequest(_UNUSABLE, f"{shown(parsed(url))} {why}")
