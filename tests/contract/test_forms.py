"""Forms: which fields there may be, which answers fit, and what is kept (H6, H11)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl_mcp.contract.answers import FormConfig, ResponseType, check_answer, read_config
from hitl_mcp.contract.forms import ShownField
from hitl_mcp.contract.models import NewRequest
from hitl_mcp.contract.states import Kind
from hitl_mcp.errors import AnswerRejected

Field = dict[str, Any]


def field(kind: str, name: str = "it", /, **more: Any) -> Field:
    """A field as an agent sends it."""
    return {"name": name, "type": kind} | more


def form(*fields: Field) -> FormConfig:
    """A form that must be accepted."""
    config = read_config(ResponseType.FORM, {"fields": list(fields)})
    assert isinstance(config, FormConfig)
    return config


def refused(*fields: Any) -> AnswerRejected:
    """Why a form is refused."""
    with pytest.raises(AnswerRejected) as rejected:
        read_config(ResponseType.FORM, {"fields": list(fields)})
    return rejected.value


def rejects(config: FormConfig, answer: Any) -> tuple[str, str]:
    """Which field of an answer is refused, and why."""
    with pytest.raises(AnswerRejected) as rejected:
        check_answer(config, answer)
    return rejected.value.field, rejected.value.reason


OPTIONS: dict[str, Any] = {"options": ["Red", {"value": "gr", "label": "Green"}]}
TAKEN: list[tuple[Field, Any, Any]] = [
    (field("text"), "fine", "fine"),
    (field("text"), "", ""),
    (field("text", min_length=2), "", None),
    (field("rich_text"), "x" * 10_000, "x" * 10_000),
    (field("boolean"), True, True),
    (field("boolean", required=True), False, False),
    (field("select", **OPTIONS), "green", "gr"),
    (field("multi_select", **OPTIONS), ["Green", "Red"], ["gr", "Red"]),
    (field("checkbox_group", **OPTIONS), [], []),
    (field("rating"), 5, 5),
    (field("rating", scale_min=0, scale_max=1, scale_step=0.5), 0.5, 0.5),
    (field("number"), -1234.5, -1234.5),
    (field("number", min_value=0, max_value=9), 4.0, 4),
    (field("number", max=9), 0, 0),
    (field("email"), " ada@example.com ", "ada@example.com"),
    (field("email"), " ", None),
    (field("datetime"), "2026-03-02T09:30:00+02:00", "2026-03-02T07:30:00Z"),
]


@pytest.mark.parametrize(("of", "answer", "kept"), TAKEN, ids=[f"{of['type']}-{kept}"[:30] for of, _, kept in TAKEN])
def test_a_field_takes_what_its_type_takes(of: Field, answer: Any, kept: Any) -> None:
    config = form(of, field("text", "other"))
    result = check_answer(config, {"it": answer})
    assert result == {"it": kept, "other": None}
    assert type(result["it"]) is type(kept), "true is not 1, and 4 is not 4.0"


@pytest.mark.parametrize(
    ("of", "answer", "why"),
    [
        (field("text", max_length=3), "long", "has 4"),
        (field("text", required=True), " ", "must be answered"),
        (field("text", required=True), None, "must be answered"),
        (field("boolean", required=True), None, "must be answered"),
        (field("boolean"), "yes", "must be true or false"),
        (field("boolean"), 1, "must be true or false"),
        (field("select", **OPTIONS), "Blue", "must be one of"),
        (field("multi_select", required=True, **OPTIONS), [], "must name at least 1"),
        (field("checkbox_group", max_selections=1, **OPTIONS), ["Red", "gr"], "must name at most 1"),
        (field("rating"), 6, "must be between 1 and 5"),
        (field("rating"), True, "must be a number"),
        (field("number", min_value=0, max_value=9), 10, "must be between 0 and 9"),
        (field("email"), "ada", "must be an e-mail address"),
        (field("email"), "a b@example.com", "must be an e-mail address"),
        (field("datetime"), "2026-03-02T09:30:00", "must be a time with its zone"),
        (field("datetime"), "0001-01-01T00:00:00+23:00", "must be a time with its zone"),
        (field("datetime"), "0001-01-02T00:00:00Z", "must be a time with its zone"),
        (field("datetime"), "9999-12-31T00:00:00Z", "must be a time with its zone"),
        (field("datetime"), "tomorrow", "must be a time with its zone"),
        (field("content_display"), "x", "is no field to answer; there are ['other']"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_field_named(of: Field, answer: Any, why: str) -> None:
    where, reason = rejects(form(of, field("text", "other")), {"it": answer, "other": "x"})
    assert where == "response_data.it"
    assert why in reason


def test_an_answer_is_an_object_of_known_names_with_all_that_is_required() -> None:
    config = form(field("boolean", "approved", required=True), field("text", "note"))
    wrongs: list[Any] = [None, [], "approved", True, 1]
    for wrong in wrongs:
        assert rejects(config, wrong) == ("response_data", "must be an object with a value for each field of the form")
    assert rejects(config, {}) == ("response_data.approved", "must be answered")
    assert rejects(config, {"approved": True, "Note": "x"})[0] == "response_data.Note"
    assert check_answer(config, {"note": None, "approved": False}) == {"approved": False, "note": None}


@pytest.mark.parametrize(
    ("fields", "where", "why"),
    [
        ([], "fields", "at least 1 item"),
        ([field("text", f"f{number}") for number in range(51)], "fields", "at most 50 items"),
        (["x"], "fields.0", "dictionary"),
        ([{"name": "a"}], "fields.0", "type is required"),
        ([field("colour")], "fields.0", "'text', 'rich_text'"),
        ([field("file")], "fields.0", "a text field"),
        ([field("image_review")], "fields.0", "image_url"),
        ([{"type": "text"}], "fields.0.name", "required"),
        ([field("text", "")], "fields.0.name", "at least 1 character"),
        ([field("text", "a\nb")], "fields.0.name", "invisible"),
        ([field("text", "a\u200bb")], "fields.0.name", "invisible"),
        ([field("text", " a")], "fields.0.name", "invisible"),
        ([field("text", label="\u200b")], "fields", "can be seen"),
        ([field("text", "a"), field("text", "a")], "fields", "differ"),
        ([field("text", "Title"), field("text", "title")], "fields", "differ"),
        ([field("text", "a"), field("boolean", "b", label="A")], "fields", "differ"),
        ([field("text", "a", label="Same"), field("text", "b", label="s\u00adame ")], "fields", "differ"),
        ([field("code_display", initial="x")], "fields", "can be answered"),
        ([field("select")], "fields.0.options", "required"),
        ([field("text"), field("select", "s", options=["A", "a"])], "fields.1", "must differ"),
        ([field("text", max_length=5001)], "fields.0.max_length", "5000"),
        ([field("rich_text", max_length=10_001)], "fields.0.max_length", "10000"),
        ([field("rating", scale_min=5)], "fields.0", "scale_min"),
        ([field("text", initial=1)], "fields.0", "initial must be text"),
        ([field("text", initial="long", max_length=3)], "fields.0", "initial must have"),
        ([field("boolean", initial="yes")], "fields.0", "initial must be true or false"),
        ([field("select", initial="Blue", **OPTIONS)], "fields.0", "initial must be one of"),
        ([field("datetime", initial="2026-03-02")], "fields.0", "initial must be a time"),
    ],
)
def test_a_form_that_cannot_be_asked(fields: list[Any], where: str, why: str) -> None:
    fault = refused(*fields)
    assert fault.field == f"response_config.{where}"
    assert why in fault.reason


def test_what_is_prefilled_fits_and_nothing_is_preset_to_yes() -> None:
    config = form(
        field("boolean", "approved", required=True),
        field("select", "color", initial="green", **OPTIONS),
        field("text", "note", required=True, initial=""),
        field("number", "n", initial=0),
        field("boolean", "sure", initial=False),
        field("table_display", "rows", initial=[{"a": 1}]),
    )
    assert {of.name: of.prefilled for of in config.answerable} == {
        "approved": None, "color": "gr", "note": None, "n": 0, "sure": False,
    }  # fmt: skip
    shown = config.fields[-1]
    assert isinstance(shown, ShownField) and shown.initial == [{"a": 1}]


def test_a_default_is_null_or_a_whole_answer() -> None:
    config = form(field("boolean", "approved", required=True), field("text", "note"))
    assert check_answer(config, {"approved": False}, "default_response") == {"approved": False, "note": None}
    with pytest.raises(AnswerRejected) as rejected:
        check_answer(config, {"note": "x"}, "default_response")
    assert rejected.value.field == "default_response.approved"


def test_a_form_is_never_an_approval() -> None:
    with pytest.raises(ValueError, match="an approval has fixed options"):
        NewRequest(kind=Kind.APPROVAL, request_text="?", response_type=ResponseType.FORM)


_names = st.sampled_from(["a", "b", "c", "Approved", "x y"])
_fields = st.one_of(
    st.fixed_dictionaries({"name": _names, "type": st.sampled_from(["text", "rich_text", "email", "datetime"])}),
    st.fixed_dictionaries({"name": _names, "type": st.just("boolean"), "initial": st.none() | st.booleans()}),
    st.fixed_dictionaries({"name": _names, "type": st.sampled_from(["number", "rating"])}),
    st.fixed_dictionaries(
        {"name": _names, "type": st.sampled_from(["select", "multi_select", "checkbox_group"]),
         "options": st.just(["A", "B"])}
    ),
    st.fixed_dictionaries({"name": _names, "type": st.just("code_display"), "initial": st.text(max_size=5)}),
)  # fmt: skip
_values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), st.sampled_from(["A", "b", "a@b.cd"]),
    st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat()), st.lists(st.sampled_from(["A", "B"])),
)  # fmt: skip


@given(st.lists(_fields, min_size=1, max_size=4), st.booleans(), st.data())
@settings(max_examples=300, deadline=None, database=None)
def test_an_accepted_answer_is_whole_and_unchanged_when_checked_again_and_by_json(
    fields: list[Field], required: bool, data: st.DataObject
) -> None:
    sent = {"fields": [of | {"required": required} for of in fields]}
    try:
        of = read_config(ResponseType.FORM, sent)
    except AnswerRejected:
        return
    assert isinstance(of, FormConfig)
    answer = data.draw(st.fixed_dictionaries({one.name: _values for one in of.answerable}))
    try:
        kept = check_answer(of, answer)
    except AnswerRejected as fault:
        assert fault.field.startswith("response_data.")
        return
    assert list(kept) == [one.name for one in of.answerable]
    assert not required or None not in kept.values()
    assert check_answer(of, json.loads(json.dumps(kept))) == kept
    assert read_config(ResponseType.FORM, json.loads(json.dumps(sent))) == of
