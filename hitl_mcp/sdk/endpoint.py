"""Where a backend is and how to know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a backend.

    Attributes:
        base_url: without a path; `/v1/...` is added.
        key: sent as bearer token; never logged.
        inbox: where a person answers, for humans to read.
        port: with `proof_secret`, what each answer's proof is checked against (H14).
        proof_secret: the data folder's secret; None where TLS does this work.
        note: something the agent's user should know about this backend.
        name: what kind of backend this is, for results: `local` on the user's own machine, `server` for a team's,
            `cloud` for the HITL.sh cloud.
    """

    base_url: str
    key: str
    inbox: str
    port: int = 0
    proof_secret: bytes | None = None
    note: str | None = None
    name: Literal["local", "server", "cloud"] = "local"

    @property
    def is_abroad(self) -> bool:
        """Whether it is reached over a network, so that certificates are checked and proxies used."""
        return self.proof_secret is None and urlsplit(self.base_url).hostname not in ("127.0.0.1", "::1", "localhost")

    def __repr__(self) -> str:
        return f"Endpoint({self.base_url!r})"


@dataclass(frozen=True, slots=True)
class Fixed:
    """The `Resolver` of a backend that stays where it is."""

    known: Endpoint

    async def endpoint(self, failed: Endpoint | None = None) -> Endpoint:
        """See `Resolver`."""
        return self.known


class Resolver(Protocol):
    """Finds the backend, and finds it again after it went away."""

    async def endpoint(self, failed: Endpoint | None = None) -> Endpoint:
        """The backend's address.

        Args:
            failed: the address that just did not answer.

        Raises: Unreachable, NotConfigured.
        """
        ...
