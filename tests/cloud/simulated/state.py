"""What is stored, and what time does to it: deadlines (4.2) and effects that come late."""

from __future__ import annotations

import heapq
import secrets
from collections.abc import Callable

from tests.cloud.simulated.fields import seconds_to_answer
from tests.cloud.simulated.manners import Manners
from tests.cloud.simulated.records import Account, Answer, Key, Loop, Member, Request
from tests.cloud.simulated.wire import Json, Refused


class State:
    """The tables. Whoever uses it holds the cloud's lock.

    Attributes:
        now: the moment everything is read at; only `settle` moves it.
    """

    def __init__(self, clock: Callable[[], float], manners: Manners, limit: int) -> None:
        self.clock, self.manners, self.limit = clock, manners, limit
        self.now = clock()
        self.accounts: dict[str, Account] = {}
        self.keys: dict[str, Key] = {}
        self.loops: dict[str, Loop] = {}
        self.requests: dict[str, Request] = {}
        self._machine = secrets.token_hex(5)
        self._number = 0
        self._late: list[tuple[float, int, Callable[[], object]]] = []

    def new_id(self) -> str:
        """24 hex characters, as MongoDB makes them (1.8): seconds, machine, counter."""
        self._number += 1
        return f"{int(self.now) % 2**32:08x}{self._machine}{self._number:06x}"

    def settle(self) -> None:
        """Bring everything to the clock's time: what was due happens in its order, each at its own moment."""
        now = self.clock()
        while self._late and self._late[0][0] <= now:
            due, _, effect = heapq.heappop(self._late)
            self._expire(due)
            effect()
        self._expire(now)

    def later(self, due: float, effect: Callable[[], object]) -> None:
        """Let something happen at a moment that has not come."""
        self._number += 1
        heapq.heappush(self._late, (due, self._number, effect))

    def loop(self, loop_id: str) -> Loop:
        """Raises: Refused."""
        if not is_id(loop_id):
            raise Refused(400, "Invalid loop ID format")
        if loop_id not in self.loops:
            raise Refused(404, "Loop not found")
        return self.loops[loop_id]

    def request(self, request_id: str) -> Request:
        """Raises: Refused."""
        if not is_id(request_id):
            raise Refused(400, "Invalid request ID format")
        if request_id not in self.requests:
            raise Refused(404, "Request not found")
        return self.requests[request_id]

    def requests_of(self, loop_id: str) -> list[Request]:
        """In the order of creation."""
        return [request for request in self.requests.values() if request.loop_id == loop_id]

    def new_loop(self, creator: Account, name: str, icon: str, description: str) -> Loop:
        """A loop; its creator is a member at once (2.2)."""
        code = secrets.token_hex(5)[:9].upper()
        loop = Loop(self.new_id(), name, description, icon, creator, code, self.now, self.now)
        loop.members.append(Member(creator, "active", self.now))
        self.loops[loop.id] = loop
        return loop

    def create(self, loop: Loop, creator: Account, api_key_id: str, fields: Json) -> Request:
        """A request, broadcast to the active members (4.2, 4.6). Raises: Refused."""
        active = [member for member in loop.members if member.status == "active"]
        if not active:
            raise Refused(400, "No active members found in the loop")
        made = Request(
            number=self._number, id=self.new_id(), loop_id=loop.id, creator=creator, api_key_id=api_key_id,
            asked=fields, created_at=self.now, timeout_at=self.now + seconds_to_answer(fields),
            broadcast=[(member.person, member.reachable) for member in active], updated_at=self.now,
        )  # fmt: skip
        self.requests[made.id] = made
        return made

    def answer(self, request: Request, person: Account, answer: Answer, at: float) -> bool:
        """A person's answer. Returns: whether the request was still open at that moment."""
        if not request.is_open or at >= request.timeout_at:
            return False
        request.status, request.answer, request.response_by = "completed", answer, person
        request.response_at = request.updated_at = at
        return True

    def cancel(self, request: Request) -> None:
        """Withdraw an open request. Raises: Refused."""
        allowed = ("pending", "claimed") if self.manners.cancels_claimed else ("pending",)
        if request.status not in allowed:
            raise Refused(400, "Request cannot be cancelled in current state")
        request.status, request.updated_at = "cancelled", self.now

    def delete_loop(self, loop: Loop) -> None:
        """Permanent, with everything in it (2.2)."""
        for request in self.requests_of(loop.id):
            del self.requests[request.id]
        del self.loops[loop.id]

    def _expire(self, now: float) -> None:
        self.now = now
        for request in self.requests.values():
            if request.is_open and now >= request.timeout_at:
                request.status, request.updated_at = "timeout", request.timeout_at


def is_id(text: str) -> bool:
    """24 hex characters (1.8)."""
    return len(text) == 24 and all(character in "0123456789abcdefABCDEF" for character in text)
