"""Where the generations of the documents keep a webhook's fields, and when what stands there is a decision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from hitl_mcp.contract.first_generation import DecisionWord, decision_word
from hitl_mcp.contract.states import Status
from hitl_mcp.errors import ContractBroken

_SAID: dict[str, DecisionWord] = {
    "approved": "approved",
    "rejected": "rejected",
    "needs_changes": "needs_changes",
    "escalated": "escalated",
    "escalate": "escalated",
}
_STATUSES = {
    **{status.value: status.value for status in Status},
    "timed_out": "timeout",
    "expired": "timeout",
    "canceled": "cancelled",
    "created": "pending",
    "assigned": "pending",
    "started": "claimed",
}
"""Words of every generation, as a status or at the end of an event's name."""
_CLOSING = {"completed", "timeout", "cancelled"}
_NOBODY = {"default", "cancelled", "timeout"}
"""A `source` that is no person."""
_WRAPPERS = ("selected_value", "selected_values", "rating", "number", "boolean")
_LABELS = ("selected_label", "selected_labels", "rating_label", "formatted_value", "boolean_label")


@dataclass(frozen=True, slots=True)
class Responder:
    """Who answered, as far as the event says."""

    id: str | None = None
    name: str | None = None
    email: str | None = None


class Payload:
    """A webhook's body: a field may stand at the top, under `data`, or in an object of either.

    Args:
        body: the body as it came, or its parsed JSON.

    Raises: ContractBroken when it is no JSON object.
    """

    def __init__(self, body: object) -> None:
        self.top = _parsed(body)
        inner = self.top.get("data")
        self._places = [self.top, cast("dict[str, Any]", inner)] if isinstance(inner, dict) else [self.top]

    def all(self, *paths: str) -> list[Any]:
        """What stands at the paths, in all places, null included."""
        found: list[Any] = []
        for path in paths:
            for place in self._places:
                *way, last = path.split(".")
                for step in way:
                    inner = place.get(step)
                    place = cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}
                if last in place:
                    found.append(place[last])
        return found

    def only(self, *paths: str) -> Any:
        """The one value that all places agree on; null says nothing. Raises: ContractBroken when they do not agree."""
        return _one(paths[0], [value for value in self.all(*paths) if value is not None])

    def event_and_status(self) -> tuple[str, str | None]:
        """The event's name and the request's status. Raises: ContractBroken when neither is given, or they differ."""
        name, given = self.top.get("event"), [word for word in self.all("status", "request.status") if word is not None]
        if not all(isinstance(word, str) for word in [name or "", *given]):
            raise unreadable("its event or status is not text")
        status: str | None = _one("status", [_STATUSES.get(word, word) for word in given])
        if not name:
            if status is None:
                raise unreadable("it has neither an event nor a status")
            return f"request.{status}", status
        subject, _, verb = str(name).rpartition(".")
        told = _STATUSES.get(verb) if subject in ("request", "review") else None
        if told in _CLOSING and status not in (None, told):
            raise unreadable(f"its event is {name}, but its status is {status}")
        return str(name), status or told

    def answer(self) -> tuple[Any, Any]:
        """The answer as a bare value, and its label (contract section 3.1)."""
        form = self._response_type() == "form"  # a form's answer is an object whose keys are its author's
        given = self.all("response_data", "response", "request.response_data")
        read = [(value, None) if form else _bare(value) for value in given if value is not None]
        return _one("response_data", [value for value, _ in read]), next((label for _, label in read if label), None)

    def decision(self, answer: Any, label: Any) -> DecisionWord | None:
        """The decision of a completed request. A doubt is None. Raises: ContractBroken for a contradiction."""
        if not self.by_a_person_in_time():
            return None
        chosen = self._option(answer, label)
        explicit = self.explicit()
        if not explicit:
            return chosen
        word = _one("decision", [given for given in explicit if given is not None])
        said = _SAID.get(word.strip().casefold()) if isinstance(word, str) else None
        if said is not None and chosen is not None and said != chosen:
            raise unreadable(f"its decision is {said}, but its answer is {answer}")
        return said

    def explicit(self) -> list[Any]:
        """What stands under `decision`, null included: where that is no word we know, there is a doubt."""
        return self.all("decision", "request.decision")

    def by_a_person_in_time(self) -> bool:
        """Whether nothing speaks against it. A default may arrive like an answer: cloud pages disagree (H11)."""
        if any(isinstance(source, str) and source.strip().casefold() in _NOBODY for source in self.all("source")):
            return False
        people = self._people()
        if people and not any(map(_named, people)):
            return False
        deadline, times = self.only("timeout_at", "request.timeout_at"), self._answer_times()
        if deadline is None or not times:
            return True
        latest = as_time(deadline)
        return latest is not None and all((at := as_time(time)) is not None and at < latest for time in times)

    def responder(self) -> Responder | None:
        """Who answered; None where the event names nobody."""
        found: dict[str, str] = {}
        for person in self._people():
            if isinstance(person, dict):
                known = cast("dict[str, Any]", person)
                given = {"id": known.get("user_id") or known.get("id"), "name": known.get("name")}
                given["email"] = known.get("email")
            else:
                given = {"email" if "@" in str(person) else "id": person}
            for name, value in given.items():
                if value:
                    found.setdefault(name, str(value))
        return Responder(**found) if found else None

    def responded_at(self) -> datetime | None:
        """When the answer was given."""
        times = self._answer_times()
        return as_time(times[0]) if times else None

    def _people(self) -> list[Any]:
        return self.all(
            "response_by_user", "request.response_by_user", "response_by", "request.response_by", "reviewer"
        )

    def _answer_times(self) -> list[Any]:
        times = self.all("response_at", "request.response_at", "completed_at", "request.completed_at")
        return [time for time in times if time is not None]

    def _response_type(self) -> Any:
        return self.only("response_type", "request.response_type")

    def _option(self, answer: Any, label: Any) -> DecisionWord | None:
        if self._response_type() not in (None, "single_select") or not isinstance(answer, str):
            return None
        chosen = decision_word(answer)
        return chosen if label is None or decision_word(str(label)) == chosen else None


def as_id(value: Any) -> str | None:
    """An id as text. Raises: ContractBroken for what is none."""
    if value == "" or isinstance(value, bool) or not isinstance(value, str | int | None):
        raise unreadable("an id is not text")
    return None if value is None else str(value)


def as_time(value: Any) -> datetime | None:
    """An ISO time, or seconds or milliseconds since 1970; None for anything else. Without a zone it is UTC."""
    try:
        if isinstance(value, str):
            read = datetime.fromisoformat(value)
            return read if read.tzinfo else read.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def unreadable(why: str) -> ContractBroken:
    """The error for a payload that cannot be read."""
    return ContractBroken(
        f"The webhook cannot be read: {why}. It was not taken for a decision; read the request through the API instead."
    )


def _parsed(body: object) -> dict[str, Any]:
    parsed = body
    if isinstance(body, str | bytes | bytearray | memoryview):
        try:
            text = body if isinstance(body, str) else bytes(cast("bytes", body))
            parsed = json.loads(text, object_pairs_hook=_once)
        except (ValueError, RecursionError):
            raise unreadable("it is not JSON") from None
    if not isinstance(parsed, Mapping):
        raise unreadable("it is not a JSON object")
    return dict(cast("Mapping[str, Any]", parsed))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object. JSON lets a name stand twice, and readers differ on which of the two counts."""
    read = dict(pairs)
    if len(read) < len(pairs):
        raise unreadable("a name stands twice in one object")
    return read


def _named(person: Any) -> bool:
    return any(cast("dict[str, Any]", person).values()) if isinstance(person, dict) else bool(person)


def _one(name: str, given: list[Any]) -> Any:
    try:
        different = {json.dumps(value, sort_keys=True, default=str) for value in given}  # True is not 1
    except (TypeError, ValueError, RecursionError):
        raise unreadable(f"its {name} is no JSON") from None
    if len(different) > 1:
        raise unreadable(f"its {name} is given more than once, and not as the same")
    return given[0] if given else None


def _bare(answer: Any) -> tuple[Any, Any]:
    if not isinstance(answer, dict):
        return answer, None
    given = cast("dict[str, Any]", answer)
    wrapper = [name for name in _WRAPPERS if name in given]
    if len(wrapper) != 1 or not set(given) <= {*wrapper, *_LABELS}:
        return given, None
    return given[wrapper[0]], next((given[name] for name in _LABELS if given.get(name)), None)
