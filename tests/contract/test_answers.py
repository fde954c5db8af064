"""Every response type: what its configuration allows, which answers fit, and in which form they are kept (H6, H11)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl_mcp.contract.answers import (
    CONFIGS,
    EXAMPLES,
    BooleanConfig,
    EditableTextConfig,
    FormConfig,
    MultiSelectConfig,
    NumberConfig,
    RatingConfig,
    ResponseConfig,
    ResponseType,
    SingleSelectConfig,
    TextConfig,
    check_answer,
    read_config,
    slug,
)
from hitl_mcp.errors import AnswerRejected

SELECTS = (ResponseType.SINGLE_SELECT, ResponseType.MULTI_SELECT)
INF, NAN = float("inf"), float("nan")
NOT_NUMBERS: list[Any] = [True, False, "1", "", None, [1], {"number": 1}, NAN, INF, -INF, 10**400, -(10**400)]
NOT_TEXTS: list[Any] = [1, 1.0, True, None, ["a"], {"text": "a"}]


def config(response_type: str, **fields: Any) -> ResponseConfig:
    """A configuration that must be accepted."""
    return read_config(ResponseType(response_type), fields)


def refused(response_type: ResponseType, given: object) -> AnswerRejected:
    """Why a configuration is refused."""
    with pytest.raises(AnswerRejected) as rejected:
        read_config(response_type, given)
    return rejected.value


def rejects(of: ResponseConfig, answer: Any) -> str:
    """Why an answer is refused, for the field it was sent in."""
    with pytest.raises(AnswerRejected) as rejected:
        check_answer(of, answer)
    assert rejected.value.field == "response_data"
    return rejected.value.reason


@pytest.mark.parametrize("response_type", ResponseType)
def test_the_example_of_each_type_works_and_errors_show_it(response_type: ResponseType) -> None:
    model = CONFIGS.get(response_type, FormConfig)
    assert isinstance(read_config(response_type, EXAMPLES[response_type]), model)
    wrongs: list[Any] = [None, "x", [], 1, {"required": "perhaps", "fields": []}]
    for wrong in wrongs:
        fault = refused(response_type, wrong)
        assert fault.field.startswith("response_config")
        assert fault.reason.endswith(f"An example for {response_type.value}: {EXAMPLES[response_type]}")


@pytest.mark.parametrize(
    ("response_type", "given", "field"),
    [
        ("single_select", {}, "options"),
        ("single_select", {"options": []}, "options"),
        ("single_select", {"options": [str(number) for number in range(21)]}, "options"),
        ("single_select", {"options": "Blue"}, "options"),
        ("single_select", {"options": [""]}, "options.0.value"),
        ("single_select", {"options": ["x" * 101]}, "options.0.value"),
        ("single_select", {"options": ["a", {"value": "b", "label": "x" * 201}]}, "options.1.label"),
        ("single_select", {"options": ["a", {"value": "b", "label": ""}]}, "options.1.label"),
        ("single_select", {"options": [{"label": "a"}]}, "options.0.value"),
        ("single_select", {"options": [{"value": 1, "label": "a"}]}, "options.0.value"),
        ("single_select", {"options": [1]}, "options.0"),
        ("single_select", {"options": [{"value": "a", "description": "x" * 501}]}, "options.0.description"),
        ("single_select", {"options": [{"value": "a", "color": "red"}]}, "options.0.color"),
        ("single_select", {"options": [{"value": "a", "color": "#fff;background:url(x)"}]}, "options.0.color"),
        ("single_select", {"options": [{"value": "a", "color": "#ffffff\n"}]}, "options.0.color"),
        ("multi_select", {"options": ["a"], "min_selections": -1}, "min_selections"),
        ("multi_select", {"options": ["a"], "max_selections": 0}, "max_selections"),
        ("multi_select", {"options": ["a"], "min_selections": 2}, ""),
        ("multi_select", {"options": ["a", "b"], "min_selections": 2, "max_selections": 1}, ""),
        ("rating", {}, "scale_max"),
        ("rating", {"scale_max": 1}, ""),
        ("rating", {"scale_max": 5, "scale_step": 0}, "scale_step"),
        ("rating", {"scale_max": 5, "scale_step": -1}, "scale_step"),
        ("rating", {"scale_max": 5, "scale_step": 5}, ""),
        ("rating", {"scale_max": NAN}, "scale_max"),
        ("rating", {"scale_max": INF}, "scale_max"),
        ("rating", {"scale_max": 5, "labels": {"1": 1}}, "labels.1"),
        ("number", {}, "max_value"),
        ("number", {"max_value": 0}, ""),
        ("number", {"max_value": 10**400}, "max_value"),
        ("number", {"max_value": 9, "decimal_places": 11}, "decimal_places"),
        ("number", {"max_value": 9, "decimal_places": -1}, "decimal_places"),
        ("number", {"max_value": -1, "min_value": -5}, ""),
        ("number", {"max_value": 9, "prefix": "x" * 21}, "prefix"),
        ("text", {"max_length": 0}, "max_length"),
        ("text", {"max_length": 5001}, "max_length"),
        ("text", {"min_length": -1}, "min_length"),
        ("text", {"min_length": 9, "max_length": 8}, ""),
        ("editable_text", {}, "draft_text"),
        ("editable_text", {"draft_text": "x" * 10_001}, "draft_text"),
        ("editable_text", {"draft_text": "long", "max_length": 3}, ""),
        ("editable_text", {"draft_text": "x", "max_length": 10_001}, "max_length"),
        ("boolean", {"true_label": ""}, "true_label"),
        ("boolean", {"true_label": "x" * 101}, "true_label"),
        ("boolean", {"true_label": "No"}, ""),
        ("boolean", {"true_label": "Go!", "false_label": "go"}, ""),
        ("boolean", {"true_color": "green"}, "true_color"),
    ],
)
def test_a_configuration_beyond_its_limits_is_refused_by_name(response_type: str, given: object, field: str) -> None:
    assert refused(ResponseType(response_type), given).field == f"response_config.{field}".rstrip(".")


def test_what_may_be_left_out_has_the_documented_default() -> None:
    assert config("text") == TextConfig(max_length=5000, min_length=0, required=False)
    assert config("boolean") == BooleanConfig(true_label="Yes", false_label="No")
    assert config("number", max_value=9) == NumberConfig(max_value=9, min_value=1, decimal_places=2)
    assert config("rating", scale_max=5) == RatingConfig(scale_max=5, scale_min=1, scale_step=1)
    assert config("editable_text", draft_text="x") == EditableTextConfig(draft_text="x", max_length=10_000)
    select = config("multi_select", options=["a"])
    assert isinstance(select, MultiSelectConfig)
    assert (select.min_selections, select.max_selections, select.required) == (0, None, False)


def test_older_names_mean_the_same() -> None:
    new = config("rating", scale_min=0, scale_max=10, scale_step=2)
    assert config("rating", min=0, max=10, step=2) == new
    assert config("rating", min_value=0, max_value=10, scale_step=2) == new
    assert config("number", min=0, max=9) == config("number", min_value=0, max_value=9)
    assert config("number", max=9, unit="kg") == config("number", max_value=9, suffix="kg")
    assert config("text", prompt="ignored", allow_other=True) == config("text")
    mixed = config("single_select", options=["Blue", {"value": "g"}, {"value": "r", "label": "Red"}])
    assert isinstance(mixed, SingleSelectConfig)
    assert [(option.value, option.label) for option in mixed.options] == [("Blue", "Blue"), ("g", "g"), ("r", "Red")]


@pytest.mark.parametrize(
    "options",
    [
        ["a", "a"],
        ["a", "A"],
        ["a", " a "],
        ["Needs Changes", "needs_changes"],
        ["Needs-Changes", "needs changes!"],
        [{"value": "approve", "label": "Reject"}, {"value": "reject", "label": "Reject!"}],
        [{"value": "approve", "label": "Reject"}, {"value": "reject", "label": "Approve"}],
        [{"value": "approve", "label": "Reject"}, "reject"],
        [{"value": "1", "label": "Yes"}, {"value": "2", "label": "yes"}],
        [{"value": "yes", "label": "1"}, {"value": "2", "label": "YES"}],
        ["Straße", "STRASSE"],
        ["Yes", "Yes\u200b"],
        ["Yes", "Y\u200bes"],
        ["caf\u00e9", "cafe\u0301"],
        [{"value": "1", "label": "Yes"}, {"value": "2", "label": "\u202aYes\u202c"}],
    ],
)
def test_options_that_could_be_taken_for_each_other_are_refused(options: list[Any]) -> None:
    for response_type in SELECTS:
        assert "distinct text" in refused(response_type, {"options": options}).reason


def test_an_option_that_cannot_be_seen_is_refused() -> None:
    for unseen in (" ", "\t", "\u200b", "\u2060 \ufeff"):
        for option in (unseen, {"value": "a", "label": unseen}, {"value": unseen, "label": "A"}):
            assert "seen" in refused(ResponseType.SINGLE_SELECT, {"options": ["b", option]}).reason


def test_options_without_any_letter_still_differ() -> None:
    select = config("single_select", options=["+", "-", "👍", "👎", "是", "否"])
    for value in ("+", "-", "👍", "👎", "是", "否"):
        assert check_answer(select, value) == value
    for other in ("", " ", "*", "👌"):
        rejects(select, other)


def test_a_choice_may_be_named_by_value_label_or_slug_and_is_kept_as_its_value() -> None:
    select = config("single_select", options=["Needs Changes", {"value": "ok", "label": "Approve it!"}])
    for answer in ("Needs Changes", "needs changes", " NEEDS CHANGES ", "needs_changes", "Needs-Changes"):
        assert check_answer(select, answer) == "Needs Changes"
    for answer in ("ok", "OK", "Approve it!", "approve it", "approve_it"):
        assert check_answer(select, answer) == "ok"
    for answer in ("approve", "", " ", "needs", None, True, 0, ["ok"], {"selected_value": "ok"}):
        assert "must be one of ['Needs Changes', 'ok']" in rejects(select, answer)


def test_several_choices_keep_their_bounds() -> None:
    select = config("multi_select", options=["Logs", "Metrics", "Traces"], min_selections=1, max_selections=2)
    assert check_answer(select, ["traces", "Logs"]) == ["Traces", "Logs"]
    assert check_answer(select, "logs") == ["Logs"]
    assert "at least 1" in rejects(select, [])
    assert "at most 2" in rejects(select, ["Logs", "Metrics", "Traces"])
    assert "twice" in rejects(select, ["Logs", "logs"])
    for answer in (["Logs", "?"], [1], [None], [["Logs"]]):
        assert "must be one of" in rejects(select, answer)
    for answer in (None, 1, True, {"selected_values": ["Logs"]}):
        assert "list" in rejects(select, answer)
    assert check_answer(config("multi_select", options=["a"]), []) == []
    rejects(config("multi_select", options=["a"], required=True), [])


@pytest.mark.parametrize(
    ("fields", "good", "bad"),
    [
        ({"scale_max": 5}, [1, 5, 3.0], [0, 6, 2.5, -1, 1e308]),
        ({"scale_min": 0, "scale_max": 1, "scale_step": 0.1}, [0, 0.1, 0.3, 0.7, 0.1 * 3, 1], [0.15, 0.05, 1.1, -0.1]),
        ({"scale_min": 0.5, "scale_max": 2.5, "scale_step": 0.5}, [0.5, 1, 1.5, 2.5], [0.75, 0.6, 3, 0]),
        ({"scale_min": -5, "scale_max": 5, "scale_step": 2}, [-5, -3, 5, -1.0], [-4, 0, 6]),
        ({"scale_min": 0, "scale_max": 10, "scale_step": 3}, [0, 3, 9], [10, 1]),
    ],
)
def test_a_rating_stands_on_a_step_counted_from_the_minimum(
    fields: dict[str, Any], good: list[float], bad: list[float]
) -> None:
    rating = config("rating", **fields)
    for answer in good:
        assert check_answer(rating, answer) == answer
    for answer in bad:
        assert rejects(rating, answer)


@pytest.mark.parametrize(
    ("fields", "good", "bad"),
    [
        ({"max_value": 10}, [1, 10, 2.25, 9.99], [0, 11, 2.255, -1]),
        ({"max_value": 10, "decimal_places": 0}, [1, 2.0, 10], [1.5, 0.1]),
        ({"max_value": 10, "min_value": -10}, [0, 5], [-1, -0.01]),
        ({"max_value": 10, "min_value": -10, "allow_negative": True}, [-10, -0.25, 0], [-10.01, -11]),
        ({"max_value": 1, "min_value": 0, "decimal_places": 10}, [1e-10, 0.1234567891], [1e-11, 0.12345678912]),
        ({"max_value": 1e15, "decimal_places": 0}, [1e15, 10**15, 999_999_999_999_999], [1e15 + 1, 10**16]),
    ],
)
def test_a_number_keeps_its_bounds_its_sign_and_its_decimals(
    fields: dict[str, Any], good: list[float], bad: list[float]
) -> None:
    number = config("number", **fields)
    for answer in good:
        assert check_answer(number, answer) == answer
    for answer in bad:
        assert rejects(number, answer)


def test_a_yes_is_no_one_and_a_one_is_no_yes() -> None:
    boolean, number, rating = config("boolean"), config("number", max_value=1, min_value=0), config("rating", max=5)
    assert check_answer(boolean, True) is True
    assert check_answer(boolean, False) is False
    for answer in (1, 0, 1.0, "true", "True", "yes", "Yes", "", None, [], [True], {"boolean": True}):
        assert rejects(boolean, answer) == "must be true or false"
    for answer in NOT_NUMBERS:
        assert rejects(number, answer)
        assert rejects(rating, answer)
    assert type(check_answer(number, 1.0)) is int
    assert type(check_answer(rating, 4.0)) is int
    assert json.dumps(check_answer(number, -0.0)) == "0"


def test_text_keeps_its_bounds_counted_in_characters() -> None:
    text = config("text", min_length=2, max_length=4)
    for answer in ("ab", "abcd", "🙂🙂🙂🙂", "  "):
        assert check_answer(text, answer) == answer
    for answer in ("a", "abcde", ""):
        assert f"between 2 and 4 characters, has {len(answer)}" in rejects(text, answer)
    for answer in NOT_TEXTS:
        assert rejects(text, answer) == "must be text"
    assert check_answer(config("text"), "") == ""
    for empty in ("", "  ", "\n\t", "\u2003"):
        assert rejects(config("text", required=True), empty) == "must not be empty"


def test_an_edited_text_tells_whether_it_was_edited() -> None:
    draft = config("editable_text", draft_text="Dear customer,", max_length=20)
    assert check_answer(draft, "Dear customer,") == {"revised_text": "Dear customer,", "was_edited": False}
    assert check_answer(draft, "Dear Ada,") == {"revised_text": "Dear Ada,", "was_edited": True}
    lie = {"revised_text": "Dear Ada,", "was_edited": False}
    assert check_answer(draft, lie) == {"revised_text": "Dear Ada,", "was_edited": True}
    for answer in (*NOT_TEXTS, {}, {"revised_text": None}, {"was_edited": False}):
        assert rejects(draft, answer)
    assert "has 21" in rejects(draft, "x" * 21)


def test_the_field_of_an_error_is_the_one_that_was_asked_for() -> None:
    with pytest.raises(AnswerRejected) as rejected:
        check_answer(config("boolean"), "yes", "default_response")
    assert (rejected.value.field, str(rejected.value)) == (
        "default_response",
        "default_response: must be true or false",
    )


_options = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=5)
_numbers = st.one_of(st.integers(-20, 20), st.floats(-20, 20).map(lambda number: round(number, 2)))
_configurations = st.one_of(
    st.tuples(st.sampled_from(SELECTS), st.fixed_dictionaries({"options": _options})),
    st.tuples(
        st.just(ResponseType.RATING),
        st.fixed_dictionaries({"scale_min": _numbers, "scale_max": _numbers, "scale_step": _numbers}),
    ),
    st.tuples(
        st.just(ResponseType.NUMBER),
        st.fixed_dictionaries(
            {"min_value": _numbers, "max_value": _numbers, "decimal_places": st.integers(0, 3)},
            optional={"allow_negative": st.booleans()},
        ),
    ),
    st.tuples(st.just(ResponseType.TEXT), st.fixed_dictionaries({"max_length": st.integers(1, 9)})),
    st.tuples(st.just(ResponseType.BOOLEAN), st.just(dict[str, Any]())),
    st.tuples(st.just(ResponseType.EDITABLE_TEXT), st.fixed_dictionaries({"draft_text": st.text(max_size=9)})),
)
_answers = st.recursive(
    st.one_of(st.none(), st.booleans(), _numbers, st.floats(), st.integers(), st.text(max_size=12)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.fixed_dictionaries({"revised_text": inner})),
    max_leaves=3,
)


@given(_configurations, _answers, st.data())
@settings(max_examples=300, deadline=None, database=None)
def test_an_accepted_answer_is_unchanged_when_checked_again_and_by_json(
    configuration: tuple[ResponseType, dict[str, Any]], answer: Any, data: st.DataObject
) -> None:
    response_type, fields = configuration
    try:
        of = read_config(response_type, fields)
    except AnswerRejected:
        return
    if isinstance(of, SingleSelectConfig | MultiSelectConfig):  # else hardly any answer would fit
        named = [name for option in of.options for name in (option.value, option.label, slug(option.value))]
        answer = data.draw(st.one_of(st.just(answer), st.sampled_from(named), st.lists(st.sampled_from(named))))
    try:
        kept = check_answer(of, answer)
    except AnswerRejected:
        return
    again = check_answer(of, kept)
    assert (again, type(again)) == (kept, type(kept))
    assert check_answer(of, json.loads(json.dumps(kept))) == kept
    assert read_config(response_type, json.loads(json.dumps(fields))) == of


@pytest.mark.parametrize(
    ("response_type", "config"),
    [
        ("single_select", {"options": [{"value": "approve", "label": "Reject"}]}),
        ("multi_select", {"options": [{"value": "No", "label": "Yes!"}, "Later"]}),
        ("boolean", {"true_label": "Reject", "false_label": "Approve"}),
        ("boolean", {"false_label": "Yes", "true_label": "Sure"}),
    ],
)
def test_a_label_that_says_the_contrary_of_its_value_is_refused(response_type: str, config: dict[str, Any]) -> None:
    with pytest.raises(AnswerRejected, match=r"contrary|must not say"):
        read_config(ResponseType(response_type), config)
