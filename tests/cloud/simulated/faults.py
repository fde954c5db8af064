"""Single calls that go wrong, whatever they ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import httpx2


class Dropped(httpx2.RemoteProtocolError):
    """The connection ends without a reply.

    In the test's own loop this leaves the application as it is, and the caller meets what a broken socket would have
    raised; on a real port `served` closes the connection instead.
    """

    def __init__(self) -> None:
        super().__init__("Server disconnected without sending a response.")


@dataclass(frozen=True)
class Fault:
    """What happens to the next calls that match, of those with a good key and within the limit.

    Attributes:
        what: `drop` the connection without a reply; an `html` page, or the `envelope`, with `status`; `error_200`: the
            error envelope with status 200 (1.3); `slow`: the right reply, but late; `limit`: a 429 although calls
            are left.
        on: the operation's name (`operations.py`), or None for every call.
        times: how many calls, or None for all of them.
        status: of `html` and `envelope`; the documents name 500, 502 and 503 (1.5).
        effect: whether the call takes effect: `none` (it went wrong before), `done` (it went wrong after), or a number:
            it takes effect that many seconds later. `slow` is always `done`, `limit` always `none`.
        wait: seconds until the reply, or until the connection drops.
    """

    what: Literal["drop", "html", "envelope", "error_200", "slow", "limit"]
    on: str | None = None
    times: int | None = 1
    status: int = 503
    effect: Literal["none", "done"] | float = "none"
    wait: float = 0
