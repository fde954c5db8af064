"""What the processes of this machine know together about one key of the cloud (H32): one poller serves them all.

The ledger of calls, who waits for what, whose turn it is to look, what was seen, and the facts of the budget. Nothing
in it is secret but the requests themselves; the key is in no file and no name.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Literal, NamedTuple

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.states import Priority
from hitl_mcp.sdk.cloud.budget import HOUR, Budget, Facts
from hitl_mcp.sdk.cloud.schedule import MOST, Waiter
from hitl_mcp.sdk.cloud.store import Store

Spent = Literal["look", "call", "create"]

LEASE_SECONDS = 30.0
"""How long a waiter counts after its process last said so."""
TURN_SECONDS = 25.0
"""How long a look may take before another process makes it: less than two intervals, more than a look can last."""
KEPT_SECONDS = 86_400.0
_SCHEMA = """
CREATE TABLE ledger (at REAL NOT NULL, kind TEXT NOT NULL, calls INTEGER NOT NULL);
CREATE INDEX ledger_at ON ledger (at);
CREATE TABLE waiting (owner TEXT NOT NULL, request_id TEXT NOT NULL, created REAL NOT NULL, priority TEXT NOT NULL,
    deadline REAL NOT NULL, lease REAL NOT NULL, PRIMARY KEY (owner, request_id)) WITHOUT ROWID;
CREATE TABLE seen (request_id TEXT PRIMARY KEY, state TEXT, final INTEGER NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE delivered (request_id TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE twins (marker TEXT PRIMARY KEY, held TEXT NOT NULL, sent REAL NOT NULL, due REAL NOT NULL,
    page INTEGER NOT NULL, closed TEXT) WITHOUT ROWID;
CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class Seen(NamedTuple):
    """A request as last seen. `request` is None when it was gone.

    Attributes:
        at: when the call was sent that saw it.
    """

    request: ReviewRequest | None
    at: float


class Twin(NamedTuple):
    """A question that may have been asked twice (H33).

    Attributes:
        held: the request that the caller was given.
        sent: when the first of the two was sent.
        due: when to look for the other.
        page: how far back in the list that look has come.
        closed: the held request's final state, kept back until the other was looked for.
    """

    marker: str
    held: str
    sent: float
    due: float
    page: int
    closed: str | None


class Share:
    """The common knowledge about one key.

    Args:
        folder: of all keys.
        key: and `url`: whose budget it is; they become a name nobody can read them from.
        clock: seconds since 1970.
    """

    def __init__(self, folder: Path, key: str, url: str, clock: Callable[[], float]) -> None:
        name = hmac.new(key.encode(), url.encode(), hashlib.sha256).hexdigest()[:32]
        self._store = Store(folder / name, _SCHEMA, self._unknown_past)
        self._clock = clock

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def _unknown_past(self) -> str:
        """After a damaged file nobody knows what was spent: as much as is allowed, evenly."""
        rows = ", ".join(f"({self._clock() - n * HOUR / MOST!r}, 'look', 1)" for n in range(MOST))
        return f"INSERT INTO ledger VALUES {rows};"

    def changes(self) -> tuple[int, int] | None:
        """See `Store.changes`."""
        return self._store.changes()

    @contextmanager
    def transaction(self) -> Generator[Tx]:
        """Read and write alone. Raises: Busy, Unusable."""
        with self._store.transaction() as connection:
            yield Tx(connection, self._clock())


class Tx:
    """One transaction.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, connection: Connection, now: float) -> None:
        self._do = connection.execute
        self.now = now
        for table, column, ahead in (("ledger", "at", 0), ("seen", "at", 0), ("waiting", "lease", LEASE_SECONDS)):
            # the clock was set back: what lies ahead happened at the latest now
            self._do(f"UPDATE {table} SET {column} = :limit WHERE {column} > :limit", {"limit": now + ahead})

    # the budget

    def spend(self, kind: Spent) -> None:
        """Write a call down, before it is made."""
        self._do("DELETE FROM ledger WHERE at < ?", (self.now - 2 * HOUR,))
        self._do("INSERT INTO ledger VALUES (?, ?, 1)", (self.now, kind))

    def looks(self) -> list[float]:
        """When looks were made in the last two hours, oldest first."""
        return [at for (at,) in self._do("SELECT at FROM ledger WHERE kind = 'look' ORDER BY at")]

    def budget(self) -> Budget:
        """What may be spent."""
        facts = self.note("facts")
        if facts is None:
            return Budget()
        known = Facts(**facts)
        return Budget(known, self._own_since(known.at), self._foreign())

    def learn(self, facts: Facts) -> None:
        """What an answer said of the budget; what it says that others spent is written down too."""
        before = self.note("facts")
        if before is not None and before["at"] > facts.at:
            return
        if facts.exact:
            foreign = facts.limit - facts.remaining - self._own_since(facts.resets_at - HOUR, facts.at)
            window = self.note("window") or {"resets_at": 0, "foreign": 0}
            known = window["foreign"] if abs(window["resets_at"] - facts.resets_at) < HOUR / 4 else 0
            if foreign > known:
                self._do("INSERT INTO ledger VALUES (?, 'foreign', ?)", (self.now, foreign - known))
            self.put_note("window", {"resets_at": facts.resets_at, "foreign": max(known, foreign)})
        self.put_note("facts", asdict(facts))

    def _own_since(self, after: float, until: float | None = None) -> int:
        sql = "SELECT coalesce(sum(calls), 0) FROM ledger WHERE kind <> 'foreign' AND at > ? AND at <= ?"
        return self._do(sql, (after, self.now if until is None else until)).fetchone()[0]

    def _foreign(self) -> int:
        sql = "SELECT coalesce(sum(calls), 0) FROM ledger WHERE kind = 'foreign' AND at > ?"
        return self._do(sql, (self.now - HOUR,)).fetchone()[0]

    # who waits

    def renew(self, owner: str, requests: Iterable[ReviewRequest]) -> None:
        """These are the requests that this process waits for. What is known of them so far is remembered."""
        self._do("DELETE FROM waiting WHERE owner = ? OR lease < ?", (owner, self.now))
        for one in requests:
            times = one.created_at.timestamp(), one.priority.value, one.timeout_at.timestamp()
            self._do("INSERT INTO waiting VALUES (?, ?, ?, ?, ?, ?)", (owner, one.id, *times, self.now + LEASE_SECONDS))
            self._do("INSERT OR IGNORE INTO seen VALUES (?, ?, 0, ?)", (one.id, one.model_dump_json(), times[0]))

    def waiting(self) -> list[Waiter]:
        """Everything that is waited for and not known to be over, oldest first."""
        found = self._do(
            "SELECT request_id, min(created), priority, min(deadline), max(seen.at) FROM waiting JOIN seen "
            "USING (request_id) WHERE lease >= ? AND NOT final GROUP BY request_id ORDER BY 2, 1",
            (self.now,),
        )
        return [
            Waiter(name, created, Priority(urgency), deadline, at) for name, created, urgency, deadline, at in found
        ]

    def take_turn(self, owner: str) -> bool:
        """Whether this process may look now. The turn ends by itself, so one that was stopped is gone round (H32)."""
        turn: dict[str, Any] = self.note("turn") or {"owner": "", "until": 0}
        if turn["owner"] != owner and self.now < turn["until"] <= self.now + TURN_SECONDS:
            return False
        self.put_note("turn", {"owner": owner, "until": self.now + TURN_SECONDS})
        return True

    def end_turn(self, owner: str) -> None:
        """The look is over."""
        turn = self.note("turn")
        if turn is not None and turn["owner"] == owner:
            self.put_note("turn", {"owner": "", "until": 0})

    # what was seen

    def see(self, request: ReviewRequest, sent: float) -> None:
        """A request's state. What is over stays as it was seen first; an older look changes nothing.

        Args:
            sent: when the call was sent that saw it.
        """
        self._see(request.id, request.model_dump_json(), final=not request.status.is_open, sent=sent)

    def gone(self, request_id: str, sent: float) -> None:
        """The cloud says that there is no such request."""
        self._see(request_id, None, final=True, sent=sent)

    def covered(self, request_id: str, sent: float) -> None:
        """It was on a page that said nothing new of it."""
        self._do("UPDATE seen SET at = max(at, ?) WHERE request_id = ?", (sent, request_id))

    def seen(self, request_id: str) -> Seen | None:
        """What is known of a request."""
        row = self._do("SELECT state, at FROM seen WHERE request_id = ?", (request_id,)).fetchone()
        if row is None:
            return None
        state, at = row
        return Seen(None if state is None else ReviewRequest.model_validate_json(state), at)

    def states(self, request_ids: Iterable[str]) -> dict[str, str | None]:
        """The stored text of each state, to see what changed."""
        states: dict[str, str | None] = {}
        for name in request_ids:
            row = self._do("SELECT state FROM seen WHERE request_id = ?", (name,)).fetchone()
            if row is not None:
                states[name] = row[0]
        return states

    def forget(self) -> None:
        """Drop what nobody waited for in a day."""
        old = self.now - KEPT_SECONDS
        self._do("DELETE FROM seen WHERE at < ? AND request_id NOT IN (SELECT request_id FROM waiting)", (old,))
        self._do("DELETE FROM twins WHERE sent < ?", (old,))
        self._do("DELETE FROM delivered WHERE at < ?", (self.now - 30 * KEPT_SECONDS,))

    def _see(self, request_id: str, state: str | None, *, final: bool, sent: float) -> None:
        self._do(
            "INSERT INTO seen VALUES (:id, :state, :final, :sent) ON CONFLICT DO UPDATE SET state = :state, "
            "final = :final, at = max(at, :sent) WHERE NOT final AND (:final OR at <= :sent)",
            {"id": request_id, "state": state, "final": final, "sent": min(sent, self.now)},
        )

    # what was handed over

    def deliver(self, request_id: str) -> None:
        """The agent has the result; the first time counts."""
        self._do("INSERT OR IGNORE INTO delivered VALUES (?, ?)", (request_id, self.now))

    def delivered(self, request_id: str) -> float | None:
        """When the agent first had the result."""
        row = self._do("SELECT at FROM delivered WHERE request_id = ?", (request_id,)).fetchone()
        return None if row is None else row[0]

    # questions that may have been asked twice

    def put_twin(self, twin: Twin) -> None:
        """Remember one, or where looking for its other stands."""
        self._do("INSERT OR REPLACE INTO twins VALUES (?, ?, ?, ?, ?, ?)", twin)

    def twins(self) -> list[Twin]:
        """All that are still looked for, the most urgent first."""
        return [Twin(*row) for row in self._do("SELECT * FROM twins ORDER BY due")]

    def drop_twin(self, marker: str) -> None:
        """It was looked for."""
        self._do("DELETE FROM twins WHERE marker = ?", (marker,))

    # the rest

    def note(self, name: str) -> Any:
        """A small JSON value, or None."""
        row = self._do("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def put_note(self, name: str, value: Any) -> None:
        """Keep it."""
        self._do("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, json.dumps(value)))
