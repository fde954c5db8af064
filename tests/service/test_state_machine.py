"""Whatever happens in whatever order: at most one decision, of the revision shown; closed stays closed; the log holds.

A model of one request is kept beside the service and both are driven by random steps (H43). Found failures are shrunk
to the shortest story that shows them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, NamedTuple

import anyio
import anyio.from_thread
from anyio.from_thread import BlockingPortal
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import NewRequest
from hitl_mcp.contract.states import Channel, Kind
from hitl_mcp.sdk import Endpoint
from hitl_mcp.service import sign_in
from hitl_mcp.service.store import Tx
from tests.service.chain import faults
from tests.service.stage import Answer, Place, Stage, stage
from tests.service.two_loops import EXTEND_MINUTES, UNDO_SECONDS, two_loops
from tests.world import SimulatedClock

CLAIM_SECONDS = 900
TIMEOUT_SECONDS = 3_600
PEOPLE = ("Ada", "Grace")
OPEN = ("pending", "claimed")
who = st.sampled_from(PEOPLE)


class Given(NamedTuple):
    """An answer: whose, what, to which revision, and when they clicked."""

    person: str
    value: str
    revision: int
    at: int


class OneRequest(RuleBasedStateMachine):
    """The model, and the steps. The service is shared by all stories; each request is followed beyond its end.

    A request may climb from the first loop, where answers are final at once, to the leads, who can take theirs back.
    """

    portal: BlockingPortal
    on: Stage
    clock: SimulatedClock
    user_ids: dict[str, str]
    leads: str

    def __init__(self) -> None:
        super().__init__()
        self.sessions: dict[str, Endpoint] = {}
        self.forget()

    def forget(self) -> None:
        """Know of no request."""
        self.request_id = ""
        self.words = ["May I?"]
        self.ended: str | None = None
        self.decided: Given | None = None
        self.held: Given | None = None
        self.held_until = 0
        self.loop_id = ""
        self.steps_left = 0
        self.assigned_to: str | None = None
        self.questions = 0
        self.answers_back = 0
        self.claimed_by: str | None = None
        self.claimed_until = 0
        self.timeout_at = 0
        self.seen_closed: str | None = None

    # --- the way to the service

    def call(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """Run something in the service's event loop, within a bound."""

        async def bounded() -> Any:
            with anyio.fail_after(15):
                return await function(*args)

        return self.portal.call(bounded)

    def send(self, method: str, route: str, body: Any = None, *, key: Endpoint | None = None) -> Answer:
        """One call about the request."""
        path = route.format(request_id=self.request_id)
        return self.call(lambda: self.on.wire.send(method, path, body, key=key))

    # --- what the model knows

    @property
    def status(self) -> str:
        """As it must be shown now."""
        if self.ended is not None:
            return self.ended
        if self.clock.now >= self.timeout_at:
            return "timeout"
        return "claimed" if self.holder is not None else "pending"

    @property
    def holder(self) -> str | None:
        """Whose claim keeps others out now."""
        return self.claimed_by if self.claimed_until > self.clock.now else None

    @property
    def revision(self) -> int:
        """How often it was changed, and one."""
        return len(self.words)

    def may(self, person: str) -> bool:
        """Whether a person can act on it."""
        return self.status in OPEN and self.held is None and self.holder in (None, person)

    def revised(self, words: str | None = None) -> None:
        """It was changed, if only around its words; a claim ends."""
        self.words.append(self.words[-1] if words is None else words)
        self.claimed_by = None

    def time_is(self, now: int) -> None:
        """Let time pass; what can no longer be taken back becomes final, which nothing but time does."""
        self.clock.now = now
        if self.held is not None and self.held_until <= now:
            self.call(self.on.services.lifecycle.act_on_due)
            self.ended, self.decided, self.held, self.claimed_by = "completed", self.held, None, None

    # --- the steps

    @initialize()
    def sign_in(self) -> None:
        """Fresh sessions for both, and a first request."""

        def unit(tx: Tx) -> dict[str, str]:
            return {
                name: sign_in.by_code(tx, sign_in.new_code(tx, user_id), Channel.INBOX)
                for name, user_id in self.user_ids.items()
            }

        tokens = self.call(self.on.services.store.write, unit)
        self.sessions = {name: self.on.found.session(token) for name, token in tokens.items()}
        self.ask(False)

    @precondition(lambda self: self.status not in OPEN)
    @rule(of_leads=st.booleans())
    def ask(self, of_leads: bool) -> None:
        """A new request, once the last one is closed."""
        self.forget()
        self.loop_id, self.steps_left = (self.leads, 1) if of_leads else (self.on.loop_id, 2)
        new = NewRequest(kind=Kind.APPROVAL, request_text=self.words[0], timeout_seconds=TIMEOUT_SECONDS)
        self.request_id = self.call(lambda: self.on.agent.create_request(self.loop_id, new)).request_id
        self.timeout_at = self.clock.now + TIMEOUT_SECONDS * 1000

    @rule(words=st.sampled_from(["May I, please?", "And now?"]))
    def change(self, words: str) -> None:
        """The agent asks something else."""
        answer = self.send("PATCH", routes.REQUEST, {"request_text": words})
        if self.status not in OPEN or self.held is not None:
            assert answer.status == (409 if self.held else 400)
            return
        assert answer.status == 200
        self.revised(words)

    @rule(person=who)
    def claim(self, person: str) -> None:
        """Somebody takes it."""
        answer = self.send("POST", routes.REQUEST_CLAIM, key=self.sessions[person])
        if not self.may(person):
            assert answer.status == 409
            return
        assert answer.status == 200
        self.claimed_by, self.claimed_until = person, self.clock.now + CLAIM_SECONDS * 1000

    @rule(person=who)
    def release(self, person: str) -> None:
        """Somebody gives it back."""
        answer = self.send("POST", routes.REQUEST_RELEASE, key=self.sessions[person])
        if self.status not in OPEN or self.held is not None or self.claimed_by != person:
            assert answer.status == 409
            return
        assert answer.status == 200
        self.claimed_by = None

    @rule(
        person=who,
        value=st.sampled_from(["approve", "reject", "needs_changes"]),
        behind=st.sampled_from([0, 0, 0, 1, 2, -1]),
    )
    def answer(self, person: str, value: str, behind: int) -> None:
        """Somebody decides on what they saw: the words of now, or older ones, or ones that never were."""
        seen = max(1, self.revision - behind)
        body = {"response_data": value, "revision": seen}
        answer = self.send("POST", routes.REQUEST_RESPOND, body, key=self.sessions[person])
        if not self.may(person) or seen != self.revision:
            assert answer.status == 409
            return
        assert answer.status == 200
        given = Given(person, value, seen, self.clock.now)
        if self.loop_id == self.leads:
            self.held, self.held_until = given, min(self.clock.now + UNDO_SECONDS * 1000, self.timeout_at)
        else:
            self.ended, self.decided, self.claimed_by = "completed", given, None

    @rule(person=who)
    def undo(self, person: str) -> None:
        """Somebody takes an answer back: their own, and only while it is not final."""
        answer = self.send("POST", routes.REQUEST_UNDO, key=self.sessions[person])
        if self.held is None or self.held.person != person:
            assert answer.status == 409
            return
        assert answer.status == 200
        self.held = None

    @rule(person=who, to=st.sampled_from((*PEOPLE, None)))
    def reassign(self, person: str, to: str | None) -> None:
        """Somebody hands it on, or back to nobody."""
        body = {"user_id": None if to is None else self.user_ids[to]}
        answer = self.send("POST", routes.REQUEST_REASSIGN, body, key=self.sessions[person])
        if self.status in OPEN and to == self.assigned_to:
            assert answer.status == 200, "nothing to do"
            return
        if not self.may(person):
            assert answer.status == 409
            return
        assert answer.status == 200
        self.assigned_to, self.claimed_by = to, None

    @rule(person=who)
    def ask_the_agent(self, person: str) -> None:
        """Somebody asks before they decide; one question at a time."""
        answer = self.send("POST", routes.REQUEST_ASK, {"question": "Why?"}, key=self.sessions[person])
        if not self.may(person) or self.questions > self.answers_back:
            assert answer.status == 409
            return
        assert answer.status == 200
        self.questions += 1

    @rule()
    def answer_back(self) -> None:
        """The agent answers what it was asked, which is part of what is decided on."""
        answer = self.send("PATCH", routes.REQUEST, {"reviewer_answer": "Because"})
        if self.held is not None or self.status not in OPEN or self.questions == self.answers_back:
            assert answer.status == (409 if self.held else 400)
            return
        assert answer.status == 200
        self.answers_back += 1
        self.revised()

    @rule(person=who)
    def escalate(self, person: str) -> None:
        """Somebody takes the next step of the ladder: to the leads, and there to a higher priority."""
        answer = self.send("POST", routes.REQUEST_ESCALATE, {"reason": "Above me"}, key=self.sessions[person])
        if not self.may(person) or not self.steps_left:
            assert answer.status == 409
            return
        assert answer.status == 200
        self.steps_left -= 1
        self.revised()
        if self.loop_id != self.leads:
            self.loop_id, self.assigned_to = self.leads, None
            self.timeout_at += EXTEND_MINUTES * 60_000

    @rule(person=st.sampled_from((*PEOPLE, "agent")), value=st.sampled_from(["yes", True, 1, None, ["approve"]]))
    def intrude(self, person: str, value: Any) -> None:
        """Somebody sends what is no option, or the agent tries to approve its own question."""
        body = {"response_data": "approve" if person == "agent" else value, "revision": self.revision}
        answer = self.send("POST", routes.REQUEST_RESPOND, body, key=self.sessions.get(person))
        assert answer.status in ((403,) if person == "agent" else (400, 409))

    @rule()
    def cancel(self) -> None:
        """The agent withdraws it."""
        answer = self.send("DELETE", routes.REQUEST)
        if self.status not in OPEN or self.held is not None:
            assert answer.status == (409 if self.held else 400)
            return
        assert answer.status == 200
        self.ended, self.claimed_by = "cancelled", None

    @precondition(lambda self: self.status not in OPEN)
    @rule()
    def deliver(self) -> None:
        """The agent has the result."""
        assert self.send("POST", routes.REQUEST_DELIVERED).status == 200

    @rule(seconds=st.sampled_from([1, UNDO_SECONDS - 1, CLAIM_SECONDS - 1, CLAIM_SECONDS]))
    def wait(self, seconds: int) -> None:
        """Time goes by."""
        self.time_is(self.clock.now + seconds * 1000)

    @precondition(lambda self: self.status in OPEN)
    @rule(milliseconds=st.sampled_from([-1, 0, 1]))
    def wait_for_the_deadline(self, milliseconds: int) -> None:
        """Time goes by until nearly, exactly, or just after the deadline; what follows comes before the sweep."""
        self.time_is(self.timeout_at + milliseconds)

    # --- what must always be so

    @invariant()
    def the_service_shows_what_the_model_knows(self) -> None:
        """Status, revision, words, place, claim, question and decision; of an answer that is held, nothing at all."""
        if not self.request_id:
            return
        shown = self.send("GET", routes.REQUEST).data["request"]
        assert (shown["status"], shown["revision"], shown["request_text"]) == (
            self.status, self.revision, self.words[-1],
        )  # fmt: skip
        assert shown["claimed_by"] == (self.user_ids[self.holder] if self.status == "claimed" and self.holder else None)
        assert (shown["loop_id"], shown["assigned_to"]) == (
            self.loop_id, self.assigned_to and self.user_ids[self.assigned_to],
        )  # fmt: skip
        assert (shown["reviewer_question"] is None) == (not self.questions)
        assert not self.questions or (shown["reviewer_question"]["answer"] is None) == (
            self.questions > self.answers_back
        )
        person, value, seen, at = self.decided or (None, None, None, None)
        assert (shown["response_data"], shown["decided_revision"]) == (value, seen)
        clicked = shown["response_at"] and datetime.fromisoformat(shown["response_at"]).timestamp() * 1000
        assert clicked == at, "it counts from the click, whenever it became final"
        assert shown["response_by"] == (self.user_ids[person] if person else None)
        assert (shown["decision"] == "approved") == (value == "approve")

    @invariant()
    def closed_never_opens_again(self) -> None:
        """Nor does one end become another."""
        if self.seen_closed is not None:
            assert self.status == self.seen_closed
        elif self.status not in OPEN:
            self.seen_closed = self.status

    @invariant()
    def the_log_holds_and_tells_of_one_decision_at_most(self) -> None:
        """And that of the revision that was decided."""
        if not self.request_id:
            return
        entries = self.send("GET", routes.REQUEST_EVENTS).data["events"]
        assert faults(self.request_id, entries) == []
        ends = [entry for entry in entries if entry["type"] in ("completed", "cancelled", "timeout")]
        assert len(ends) <= (self.status not in OPEN)
        kinds = [entry["type"] for entry in entries]
        assert kinds.count("delivered") <= 1
        assert (kinds.count("asked"), kinds.count("answered_back")) == (self.questions, self.answers_back)
        if self.decided is not None:
            data = ends[0]["data"]
            assert (ends[0]["type"], data["response_data"], data["revision"]) == ("completed", *self.decided[1:3])


def test_no_order_of_steps_makes_two_decisions_or_one_of_words_not_seen(place: Place) -> None:
    clock = SimulatedClock()
    with (
        anyio.from_thread.start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(stage(place, clock=clock)) as on,
    ):
        OneRequest.portal, OneRequest.on, OneRequest.clock = portal, on, clock
        OneRequest.leads, OneRequest.user_ids = portal.call(two_loops, on, PEOPLE)
        run_state_machine_as_test(  # pyright: ignore[reportUnknownMemberType]
            OneRequest,
            settings=settings(
                max_examples=10 if place.url is None else 6,
                stateful_step_count=40,
                deadline=None,
                database=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
