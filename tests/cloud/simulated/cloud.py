"""The control object: everything that happens in the cloud without the key whose calls a test looks at."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Literal

from tests.cloud.simulated.app import Application, Received
from tests.cloud.simulated.faults import Fault
from tests.cloud.simulated.fields import checked
from tests.cloud.simulated.limits import Usage, count, usage
from tests.cloud.simulated.manners import Manners
from tests.cloud.simulated.records import Account, Answer, Key, Loop, Member, Request
from tests.cloud.simulated.response_types import Unfit, fit
from tests.cloud.simulated.state import State
from tests.cloud.simulated.wire import Json

QUESTION: Json = {
    "processing_type": "time-sensitive", "type": "markdown", "priority": "medium", "request_text": "Publish it?",
    "response_type": "single_select", "response_config": {"options": ["Approve", "Reject"]},
    "default_response": "Reject", "timeout_seconds": 3600, "platform": "api",
}  # fmt: skip
"""What `ask` asks unless told otherwise."""


class Cloud:
    """A whole cloud in memory.

    Everything may be called from any thread, while the application runs in another. A moment in the future makes a
    thing happen when the clock gets there.

    Args:
        clock: seconds since 1970.
        manners: lasting habits; may be replaced at any time.
        limit: calls in an hour for one key (1.4).

    Attributes:
        app: the ASGI application.
        owner: the account of keys and loops that name no other.
    """

    def __init__(self, clock: Callable[[], float], manners: Manners | None = None, *, limit: int = 100) -> None:
        self._lock = threading.RLock()
        self._state = State(clock, manners or Manners(), limit)
        self.app = Application(self._state, self._lock)
        self.owner = self.new_account("owner@example.com", "Olivia Owner")

    @property
    def manners(self) -> Manners:
        """Its lasting habits."""
        return self._state.manners

    @manners.setter
    def manners(self, manners: Manners) -> None:
        with self._lock:
            self._state.manners = manners

    def misbehave(self, *faults: Fault) -> None:
        """Spoil coming calls; each call meets the first fault that matches it."""
        with self._lock:
            self.app.faults.extend(faults)

    def behave(self) -> None:
        """Forget the faults that have not happened yet."""
        with self._lock:
            self.app.faults.clear()

    # What is there

    @property
    def requests(self) -> dict[str, Request]:
        """Every stored request by id, oldest first, as it stands now: a copy."""
        with self._lock:
            return deepcopy(self._settled().requests)

    @property
    def calls(self) -> list[Received]:
        """Every call that came over HTTP, in order, without its content."""
        with self._lock:
            return list(self.app.calls)

    def usage(self, key: str) -> Usage:
        """What a key has used of its hour."""
        with self._lock:
            state = self._settled()
            return usage(state.keys[key], state.limit, state.manners, state.now)

    # Accounts, keys, loops and people

    def new_account(self, email: str, name: str) -> Account:
        """Somebody who can own keys and loops, join loops and answer."""
        with self._lock:
            state = self._settled()
            account = Account(state.new_id(), email, name)
            state.accounts[account.id] = account
            return account

    def new_key(self, account: Account | None = None) -> str:
        """A key (1.2), as the dashboard makes one."""
        with self._lock:
            state = self._settled()
            secret = f"hitl_live_{secrets.token_hex(24)}"
            state.keys[secret] = Key(secret, state.new_id(), account or self.owner)
            return secret

    def revoke(self, key: str) -> None:
        """The key is inactive from now on."""
        with self._lock:
            self._state.keys[key].active = False

    def new_loop(self, name: str = "Content moderation", account: Account | None = None) -> str:
        """A loop whose only member is its creator; its id."""
        with self._lock:
            return self._settled().new_loop(account or self.owner, name, "shield-check", "").id

    def join(
        self, loop_id: str, email: str, name: str, *, status: Literal["pending", "active"] = "active",
        reachable: bool = True,
    ) -> Account:  # fmt: skip
        """A new person in a loop.

        Args:
            status: `pending` for somebody who is only invited (2.3).
            reachable: whether pushes arrive (4.6).
        """
        with self._lock:
            person, state = self.new_account(email, name), self._settled()
            joined_at = state.now if status == "active" else None
            state.loops[loop_id].members.append(Member(person, status, joined_at, reachable))
            return person

    def empty(self, loop_id: str) -> None:
        """No member of the loop is active any more; how a real one gets there is not documented."""
        with self._lock:
            for member in self._state.loops[loop_id].members:
                member.status = "pending"

    # Requests

    def ask(self, loop_id: str, *, key: str | None = None, **fields: Any) -> str:
        """A foreign request: it comes from elsewhere and costs no call.

        Args:
            key: whose it is; by default the dashboard's of the loop's creator, so that no key may cancel it.
            fields: of the create body, instead of those of `QUESTION`; None leaves one out.

        Returns: its id.
        """
        with self._lock:
            state = self._settled()
            loop = state.loops[loop_id]
            key_id = state.keys[key].id if key else "0" * 24
            return state.create(loop, loop.creator, key_id, checked(QUESTION | fields, state.manners)).id

    def answer(
        self, request_id: str, value: Any, *, by: Account | None = None, at: float | None = None, as_is: bool = False
    ) -> None:
        """A person answers.

        Args:
            value: of a select the option's text, label or value; of `editable_text` the text.
            by: by default the loop's first active member.
            at: when, by default now. In the future, the answer is lost if the request is closed by then.
            as_is: the value goes out as `response_data` exactly as given, however odd.

        Raises:
            ValueError: the value does not fit, or the request is not open.
        """
        with self._lock:
            state = self._settled()
            request = state.requests[request_id]
            try:
                kept = value if as_is else fit(request.asked["response_type"], request.asked["response_config"], value)
            except Unfit as unfit:
                raise ValueError(str(unfit).replace("default_response", "the answer")) from None
            who, when = by or _first(state.loops[request.loop_id]), state.now if at is None else at
            if when > state.now:
                state.later(when, lambda: state.answer(request, who, Answer(kept, as_is), when))
            elif not state.answer(request, who, Answer(kept, as_is), when):
                raise ValueError(f"request {request_id} is {request.status}")

    def claim(self, request_id: str, by: Account | None = None) -> None:
        """A person takes a request (4.2). Raises: ValueError, if it is not pending."""
        with self._lock:
            self._become(request_id, "pending", "claimed", by)

    def release(self, request_id: str) -> None:
        """The claim is given up (4.2). Raises: ValueError, if there is none."""
        with self._lock:
            self._become(request_id, "claimed", "pending", None)

    def cancel(self, request_id: str) -> None:
        """Withdrawn elsewhere. Raises: Refused, if it is not open."""
        with self._lock:
            state = self._settled()
            state.cancel(state.requests[request_id])

    def delete(self, loop_or_request_id: str) -> None:
        """Gone for good, so that everything younger moves forward in lists. Of a loop: with its requests."""
        with self._lock:
            state = self._settled()
            if loop_or_request_id in state.loops:
                state.delete_loop(state.loops[loop_or_request_id])
            else:
                del state.requests[loop_or_request_id]

    def spend(self, key: str, calls: int) -> None:
        """Foreign calls with the same key; they stand in no ledger, and those beyond the limit cost nothing."""
        with self._lock:
            state = self._settled()
            for _ in range(calls):
                count(state.keys[key], state.limit, state.manners, state.now)

    def _settled(self) -> State:
        self._state.settle()
        return self._state

    def _become(
        self, request_id: str, before: Literal["pending", "claimed"], after: Literal["pending", "claimed"],
        by: Account | None,
    ) -> None:  # fmt: skip
        state = self._settled()
        request = state.requests[request_id]
        if request.status != before:
            raise ValueError(f"request {request_id} is {request.status}")
        claimant = by or _first(state.loops[request.loop_id])
        request.status, request.claimed_by = after, claimant if after == "claimed" else None
        request.updated_at = state.now


def _first(loop: Loop) -> Account:
    return next(member.person for member in loop.members if member.status == "active")
