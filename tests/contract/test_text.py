"""Text and JSON that every part can store, and one text for one value, over which hashes are taken (H24)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from hitl_mcp.contract.text import MAX_DEPTH, Json, JsonObject, Text, canonical, digest, storable, storable_json

UNSTORABLE = {"U+0000": ["\x00", "a\x00b", "🙂\x00"], "surrogate": ["\ud83d", "\ude42", "a\udfffb", "\ude42\ud83d"]}
_text: TypeAdapter[str] = TypeAdapter(Text)
_json: TypeAdapter[Any] = TypeAdapter(Json)
_object: TypeAdapter[dict[str, Any]] = TypeAdapter(JsonObject)


@pytest.mark.parametrize("text", ["", "plain", "ünï", "🙂", "\u200b\ufeff\x01\x1f\x7f\r\n\t", "\U0010ffff", "\uffff"])
def test_any_other_text_is_kept_as_it_is(text: str) -> None:
    assert storable(text) == text
    assert _text.validate_python(text) == text
    assert storable_json({text: [text]}) == {text: [text]}


@pytest.mark.parametrize(("words", "texts"), UNSTORABLE.items())
def test_what_no_database_keeps_is_refused_by_name_wherever_it_stands(words: str, texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(ValueError, match=r"must not contain") as fault:
            storable(text)
        assert words in str(fault.value)
        for value in (text, [text], {"a": text}, {text: 1}, {"a": [{"b": [text]}]}, [[{text: None}]]):
            with pytest.raises(ValueError, match=r"must not contain"):
                storable_json(value)
            with pytest.raises(ValidationError):
                _json.validate_python(value)
        with pytest.raises(ValidationError):
            _text.validate_python(text)
        with pytest.raises(ValidationError):
            _object.validate_python({"a": {"b": text}})


def test_escaped_halves_of_a_pair_are_a_whole_character() -> None:
    assert _json.validate_python(json.loads('"\\ud83d\\ude42"')) == "🙂"
    with pytest.raises(ValidationError):
        _json.validate_python(json.loads('["\\ud83d"]'))


def nested(depth: int, *, lists: bool) -> Any:
    """A value of so many levels."""
    value: Any = 1
    for _ in range(depth):
        value = [value] if lists else {"a": value}
    return value


@pytest.mark.parametrize("lists", [True, False])
def test_nesting_ends_at_a_depth(lists: bool) -> None:
    assert storable_json(nested(MAX_DEPTH, lists=lists)) == nested(MAX_DEPTH, lists=lists)
    for depth in (MAX_DEPTH + 1, 200, 900):
        with pytest.raises(ValueError, match="nested deeper than 32 levels"):
            storable_json(nested(depth, lists=lists))
    for depth in (MAX_DEPTH + 1, 900, 100_000):
        with pytest.raises(ValidationError):
            _json.validate_python(nested(depth, lists=lists))
        with pytest.raises(ValidationError):
            _object.validate_python({"a": nested(depth, lists=lists)})


def test_numbers_that_json_does_not_have_are_refused() -> None:
    for number in (float("nan"), float("inf"), float("-inf")):
        for value in (number, [number], {"a": {"b": number}}):
            with pytest.raises(ValueError, match="NaN or infinity"):
                storable_json(value)
            with pytest.raises(ValueError, match="not JSON compliant"):
                canonical(value)
    assert storable_json([0, -0.0, 1e308, 10**400, True, None]) == [0, -0.0, 1e308, 10**400, True, None]


def test_the_canonical_text_is_fixed_for_ever() -> None:
    """Stored hashes were taken over these bytes: a change of this test is a change of every log."""
    value: dict[str, Any] = {"b": [1, 2.5, True, None, "ü🙂"], "a": {"z": '\n"\\/', "": {}}, "ä": [], "B": -0.5}
    text = '{"B":-0.5,"a":{"":{},"z":"\\n\\"\\\\/"},"b":[1,2.5,true,null,"ü🙂"],"ä":[]}'
    assert canonical(value) == text
    assert digest(value) == hashlib.sha256(text.encode()).hexdigest()
    assert digest(value) == "794d4fadefcbdca3c1408a69ee1c7a8103ce44dcc650a5917407e293fb98b086"
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=12,
)


@given(_values)
@settings(max_examples=200, deadline=None, database=None)
def test_canonical_text_is_the_same_for_the_same_value_and_reads_back(value: Any) -> None:
    try:
        storable_json(value)
    except ValueError:
        return
    text = canonical(value)
    read = json.loads(text)
    assert canonical(read) == text
    assert digest(read) == digest(value)
    text.encode()
    assert _json.validate_python(read) == read == json.loads(json.dumps(value))


@given(st.dictionaries(st.text(max_size=4), st.integers(), min_size=2, max_size=6), st.randoms())
@settings(max_examples=50, deadline=None, database=None)
def test_the_order_of_keys_is_no_part_of_the_value(value: dict[str, int], random: Any) -> None:
    names = list(value)
    random.shuffle(names)
    assert canonical({name: value[name] for name in names}) == canonical(value)


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, "1"), (1, True), (0, False), (None, "null"), ([], {}), ({"a": 1}, {"a": "1"}), ([1, 2], [2, 1]), ("a", "A"),
     ({"a": None}, {}), ("\u00e9", "e\u0301")],
)  # fmt: skip
def test_values_that_differ_have_digests_that_differ(one: Any, other: Any) -> None:
    assert digest(one) != digest(other)
