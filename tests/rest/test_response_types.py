"""The seven response types: configurations with every alias, defaults, answers as bare values (section 3)."""

from __future__ import annotations

from typing import Any

import pytest

from hitl_mcp.contract import routes
from tests.rest.backend import Backend

Config = dict[str, Any]
STARS: Config = {"scale_min": 1, "scale_max": 5}
TAKEN: list[tuple[str, Config, Any, Any, Any]] = [
    # type, config, default, answer, what comes back
    ("text", {}, "", "fine", "fine"),
    ("text", {"placeholder": "why", "min_length": 2, "max_length": 5000, "required": True}, "n/a", "no", "no"),
    ("text", {"max_length": 1}, "x", "", ""),
    ("single_select", {"options": ["Approve", "Needs Changes"]}, "Approve", "Needs Changes", "Needs Changes"),
    ("single_select", {"options": ["Approve", "Reject", "Escalate"]}, "reject", "Escalate", "Escalate"),
    ("single_select", {"options": ["Needs Changes", "Other"]}, "needs_changes", "NEEDS CHANGES", "Needs Changes"),
    ("single_select", {"options": [{"value": "a1", "label": "First", "description": "d", "color": "#16a34a"}, "Other"]},
     "First", "first", "a1"),
    ("single_select", {"options": [{"value": "only"}], "required": True}, "only", "only", "only"),
    ("single_select", {"options": [str(i) for i in range(20)], "prompt": ""}, "0", "19", "19"),
    ("multi_select", {"options": ["A", "B", "C"], "min_selections": 1, "max_selections": 2}, "A", ["A", "c"],
     ["A", "C"]),
    ("multi_select", {"options": ["A", "B", "C"]}, [], [], []),
    ("rating", STARS, 3, 5, 5),
    ("rating", {"scale_max": 5}, 1, 1, 1),
    ("rating", {"min": 0, "max": 10}, 0, 0, 0),
    ("rating", {"min_value": 1, "max_value": 3, "step": 0.5, "labels": {"1": "bad"}}, 1.5, 2.5, 2.5),
    ("rating", {"scale_min": 1, "scale_max": 5, "scale_step": 2}, 3, 5, 5),
    ("number", {"max_value": 10}, 1, 9.99, 9.99),
    ("number", {"min": 0, "max": 100, "decimal_places": 0}, 0, 0, 0),
    ("number", {"min_value": -5, "max_value": 5, "allow_negative": True, "decimal_places": 10}, -5, -0.5, -0.5),
    ("number", {"min_value": 0, "max_value": 5, "prefix": "EUR", "unit": "cent", "step": 1}, 0, 5.0, 5),
    ("boolean", {}, False, True, True),
    ("boolean", {"true_label": "Ship", "false_label": "Wait", "true_color": "#16a34a", "false_color": "#dc2626"}, True,
     False, False),
    ("editable_text", {"draft_text": "Dear", "max_length": 10}, "Dear", "Dear all",
     {"revised_text": "Dear all", "was_edited": True}),
    ("editable_text", {"draft_text": "Dear", "max_length": 10000, "placeholder": "p"}, "x", {"revised_text": "Dear"},
     {"revised_text": "Dear", "was_edited": False}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "config", "default", "answer", "back"), TAKEN, ids=[f"{t[0]}-{t[2]}" for t in TAKEN])
def test_a_configuration_its_default_and_an_answer(
    backend: Backend, loop: str, kind: str, config: Config, default: Any, answer: Any, back: Any
) -> None:
    asked = backend.key.asked(loop, response_type=kind, response_config=config, default_response=default)
    request = backend.key.request(asked).data["request"]
    assert request["response_config"] == config, "echoed as it was sent"
    answered = backend.answer(asked, answer)
    assert answered.status == 200, answered.body
    data = backend.key.request(asked).data
    assert (data["status"], data["response_data"]) == ("completed", back)
    assert type(data["response_data"]) is type(back)
    assert data["request"]["response_data"] == data["response_data"]


FALSY: list[tuple[str, Config, Any]] = [
    ("boolean", {}, False),
    ("number", {"min_value": 0, "max_value": 5}, 0),
    ("text", {}, ""),
    ("multi_select", {"options": ["A"]}, []),
]


@pytest.mark.parametrize(("kind", "config", "default"), FALSY, ids=[one[0] for one in FALSY])
def test_a_falsy_default_is_a_default(backend: Backend, loop: str, kind: str, config: Config, default: Any) -> None:
    asked = backend.key.asked(loop, response_type=kind, response_config=config, default_response=default)
    backend.clock.move(3600)
    data = backend.key.request(asked).data
    assert (data["status"], data["response_data"]) == ("timed_out", None)
    assert data["default_response"] == data["request"]["default_response"] == default
    assert type(data["default_response"]) is type(default)


@pytest.mark.parametrize(
    ("given", "kept"), [("Reject", "Reject"), ("reject", "Reject"), (" REJECT ", "Reject"), ("r", "r")]
)
def test_a_default_names_an_option_by_value_label_or_slug(backend: Backend, loop: str, given: str, kept: str) -> None:
    config = {"options": ["Approve", "Reject", {"value": "r", "label": "Retry later"}]}
    asked = backend.key.ask(loop, response_config=config, default_response=given)
    assert asked.data["request"]["default_response"] == kept
    config = {"options": [{"value": "r", "label": "Retry later"}]}
    slug = backend.key.ask(loop, response_config=config, default_response="retry_later")
    assert slug.data["request"]["default_response"] == "r"


def options(*given: Any) -> Config:
    """A selection."""
    return {"options": list(given)}


BAD_CONFIG: list[tuple[str, Config, str]] = [
    ("single_select", options(), "response_config.options: List should have at least 1 item"),
    ("single_select", options(*(str(i) for i in range(21))), "response_config.options: List should have at most 20"),
    ("single_select", options("A", "a"), "response_config: options must differ in value, label and slug"),
    ("single_select", options("Needs Changes", "needs_changes"), "response_config: options must differ"),
    ("single_select", options({"value": "reject", "label": "Approve"}, "Approve"), "response_config: options must"),
    ("single_select", options("v" * 101), "response_config.options.0.value: String should have at most 100"),
    ("single_select", options({"value": "v", "label": "l" * 201}), "response_config.options.0.label: String should"),
    ("single_select", options({"value": "v", "color": "red"}), "response_config.options.0.color"),
    ("multi_select", options("A") | {"min_selections": 2}, "response_config: min_selections must not exceed"),
    ("multi_select", options("A", "B") | {"min_selections": 2, "max_selections": 1}, "response_config: max_selections"),
    ("rating", {}, "response_config.scale_max"),
    ("rating", {"scale_min": 5, "scale_max": 5}, "response_config: scale_min must be less than scale_max"),
    ("rating", {"scale_max": 5, "scale_step": 0}, "response_config.scale_step"),
    ("number", {}, "response_config.max_value"),
    ("number", {"max_value": 0}, "response_config: min_value must not exceed max_value"),
    ("number", {"max_value": 5, "decimal_places": 11}, "response_config.decimal_places"),
    ("text", {"max_length": 5001}, "response_config.max_length"),
    ("text", {"max_length": 0}, "response_config.max_length"),
    ("text", {"min_length": 5, "max_length": 4}, "response_config: min_length must not exceed max_length"),
    ("editable_text", {}, "response_config.draft_text"),
    ("editable_text", {"draft_text": "long", "max_length": 3}, "response_config: draft_text must not be longer"),
    ("editable_text", {"draft_text": "d", "max_length": 10_001}, "response_config.max_length"),
    ("boolean", {"true_label": "Same", "false_label": "same"}, "response_config: true_label and false_label must"),
    ("boolean", {"true_label": "l" * 101}, "response_config.true_label"),
]


@pytest.mark.parametrize(("kind", "config", "words"), BAD_CONFIG, ids=[str(i) for i in range(len(BAD_CONFIG))])
def test_a_configuration_that_does_not_fit(backend: Backend, loop: str, kind: str, config: Config, words: str) -> None:
    status, msg, data = backend.key.ask(loop, response_type=kind, response_config=config).refusal
    assert (status, msg) == (400, "Invalid response configuration")
    assert data.startswith(words), data


@pytest.mark.parametrize("kind", ["single_select", "multi_select"])
def test_a_selection_without_options_in_the_contracts_words(backend: Backend, loop: str, kind: str) -> None:
    reply = backend.key.ask(loop, response_type=kind, response_config={})
    words = "options array required for select response type"
    assert reply.refusal == (400, "Invalid response configuration", words)


BAD_VALUES: list[tuple[str, Config, Any, str | None]] = [
    ("single_select", options("A", "B"), "C", "default_response must match one of the configured options"),
    ("single_select", options("A", "B"), 1, "default_response must match one of the configured options"),
    ("single_select", options("A", "B"), ["A"], "default_response must match one of the configured options"),
    ("multi_select", options("A", "B"), ["A", "C"], "default_response must match one of the configured options"),
    ("multi_select", options("A", "B"), ["A", "a"], "default_response must not name an option twice"),
    ("multi_select", options("A", "B") | {"max_selections": 1}, ["A", "B"],
     "default_response must name at most 1 of the options"),
    ("multi_select", options("A", "B") | {"min_selections": 1}, [],
     "default_response must name at least 1 of the options"),
    ("rating", STARS, 6, "default_response must be between 1 and 5"),
    ("rating", STARS, 1.5, "default_response must be 1 plus a multiple of 1"),
    ("rating", STARS, True, "default_response must be a number"),
    ("rating", STARS, "5", "default_response must be a number"),
    ("number", {"min_value": 0, "max_value": 5}, 5.01, "default_response must be between 0 and 5"),
    ("number", {"min_value": 0, "max_value": 5}, 0.001, "default_response must have at most 2 decimal places"),
    ("number", {"min_value": -5, "max_value": 5}, -1, "default_response must not be negative"),
    ("text", {"max_length": 3}, "long", "default_response must have between 0 and 3 characters, has 4"),
    ("text", {"required": True}, " ", "default_response must not be empty"),
    ("text", {}, 5, "default_response must be text"),
    ("boolean", {}, 1, "default_response must be true or false"),
    ("boolean", {}, "true", "default_response must be true or false"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "config", "value", "words"), BAD_VALUES, ids=[str(i) for i in range(len(BAD_VALUES))])
def test_a_default_or_an_answer_that_does_not_fit(
    backend: Backend, loop: str, kind: str, config: Config, value: Any, words: str
) -> None:
    refused = backend.key.ask(loop, response_type=kind, response_config=config, default_response=value)
    assert refused.refusal == (400, "Invalid default response", words)
    asked = backend.key.asked(loop, response_type=kind, response_config=config, default_response=None)
    answered = backend.answer(asked, value)
    assert answered.said == (400, "Invalid response")
    assert answered.data["field"] == "response_data"
    assert backend.key.request(asked).data["status"] == "pending"


def test_escalate_is_an_ordinary_answer(backend: Backend, loop: str) -> None:
    asked = backend.key.asked(loop, response_config=options("Approve", "Reject", "Escalate"))
    backend.answer(asked, "Escalate")
    data = backend.key.request(asked).data
    assert (data["status"], data["response_data"], data["request"]["decision"]) == ("completed", "Escalate", None)
    again = backend.answer(asked, "Approve")
    assert again.status == 409, "decided once"
    assert backend.key.get(routes.REQUESTS, loop_id=loop).data["total"] == 1
