"""What pandas, NumPy and the standard library leave in a dict becomes JSON, or is refused with its place."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl_mcp.contract.text import MAX_DEPTH, storable_json
from hitl_mcp.errors import BadRequest
from hitl_mcp.sdk.plain import plain

_pd: Any = pd  # its types come without all their arguments
UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")


class Size(IntEnum):
    LARGE = 3


class Colour(StrEnum):
    RED = "red"


class Limit(Enum):
    PRICE = Decimal("9.5")


def frame() -> Any:
    return _pd.DataFrame(
        {
            "amount": [1.5, float("nan"), float("inf")],
            "count": _pd.array([1, None, 3], dtype="Int64"),
            "paid": [True, False, True],
            "when": _pd.to_datetime(["2026-03-02T09:30:00Z", None, "2026-03-04T00:00:00.000000001Z"], format="ISO8601"),
            "took": _pd.to_timedelta(["90s", None, "1D"]),
            "name": ["Ana", None, "Bo"],
            "kind": _pd.Categorical(["a", "b", "a"]),
        }
    )


def test_the_head_of_a_frame() -> None:
    assert plain(frame().head().to_dict()) == {
        "amount": {"0": 1.5, "1": None, "2": None},
        "count": {"0": 1, "1": None, "2": 3},
        "paid": {"0": True, "1": False, "2": True},
        "when": {"0": "2026-03-02T09:30:00+00:00", "1": None, "2": "2026-03-04T00:00:00.000000001+00:00"},
        "took": {"0": "P0DT0H1M30S", "1": None, "2": "P1DT0H0M0S"},
        "name": {"0": "Ana", "1": None, "2": "Bo"},
        "kind": {"0": "a", "1": "b", "2": "a"},
    }


@pytest.mark.parametrize("orient", ["dict", "list", "records", "index", "split", "tight"])
def test_every_shape_of_a_frame_is_json(orient: str) -> None:
    found = plain({"rows": frame().to_dict(orient=orient)})
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_description_of_a_frame() -> None:
    numbers = _pd.DataFrame({"a": [1, 2, 3]}).describe().to_dict()
    expected = {"count": 3.0, "mean": 2.0, "std": 1.0, "min": 1.0, "25%": 1.5, "50%": 2.0, "75%": 2.5, "max": 3.0}
    assert plain(numbers) == {"a": expected}
    everything = plain(frame().drop(columns="amount").describe(include="all").to_dict())
    assert json.loads(json.dumps(everything, allow_nan=False)) == everything


def test_frames_with_other_indexes() -> None:
    days = _pd.date_range("2026-03-01", periods=2)
    assert plain(_pd.Series([1, 2], index=days).to_dict()) == {"2026-03-01T00:00:00": 1, "2026-03-02T00:00:00": 2}
    grouped = _pd.DataFrame({"a": ["x", "x", "y"], "b": [1, 2, 3]}).groupby("a").agg(["min", "max"]).to_dict()
    assert plain(grouped) == {"b, min": {"x": 1, "y": 3}, "b, max": {"x": 2, "y": 3}}
    binned = _pd.cut(_pd.Series([1, 9]), [0, 5, 10]).value_counts().sort_index().to_dict()
    assert plain(binned) == {"(0, 5]": 1, "(5, 10]": 1}
    assert plain([_pd.Period("2026-03"), _pd.NA, _pd.NaT]) == ["2026-03", None, None]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(7), 7),
        (np.uint8(255), 255),
        (np.float64("nan"), None),
        (np.float32(0.5), 0.5),
        (np.longdouble(2.5), 2.5),
        (np.float16("inf"), None),
        (np.bool_(True), True),
        (np.str_("é"), "é"),
        (np.datetime64("2026-03-02T09:30:00.000000001"), "2026-03-02T09:30:00.000000001"),
        (np.datetime64("2026-03-02"), "2026-03-02"),
        (np.datetime64("NaT"), None),
        (np.timedelta64(1_500_000_000, "ns"), "PT1.5S"),
        (np.timedelta64("NaT"), None),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array(5), 5),
        (np.array("2026-03-02T09:30:00.5", dtype="datetime64[ns]"), "2026-03-02T09:30:00.500000000"),
        (np.array(["2026-03-02"], dtype="datetime64[ns]"), ["2026-03-02T00:00:00.000000000"]),
        ({np.int64(1): np.array([float("nan")])}, {"1": [None]}),
    ],
    ids=repr,
)
def test_numpy(value: object, expected: object) -> None:
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (10**30, 10**30),
        (-0.5, -0.5),
        (float("-inf"), None),
        (datetime(2026, 3, 2, 9, 30, tzinfo=UTC), "2026-03-02T09:30:00+00:00"),
        (datetime(2026, 3, 2, 9, 30), "2026-03-02T09:30:00"),
        (date(2026, 3, 2), "2026-03-02"),
        (time(9, 30), "09:30:00"),
        (timedelta(hours=1, seconds=1), "PT1H1S"),
        (Decimal("12.10"), 12.1),
        (Decimal("3"), 3),
        (Decimal("0.1234567890123456789"), "0.1234567890123456789"),
        (Decimal("1e400"), "1E+400"),
        (Decimal("NaN"), None),
        (Decimal("sNaN"), None),
        (Decimal("-Infinity"), None),
        (UUID, str(UUID)),
        (Size.LARGE, 3),
        (Colour.RED, "red"),
        (Limit.PRICE, 9.5),
        ((1, (2,)), [1, [2]]),
        pytest.param({"c", "a", "b"}, ["a", "b", "c"], id="a set"),
        (frozenset({3, 1, 2}), [1, 2, 3]),
        (MappingProxyType({"a": 1}), {"a": 1}),
        ({1: "a", 2.5: "b", None: "c", True and "yes": "d", (1, "x"): "e", Colour.RED: "f", UUID: "g"},
         {"1": "a", "2.5": "b", "null": "c", "yes": "d", "1, x": "e", "red": "f", str(UUID): "g"}),
    ],
    ids=repr,
)  # fmt: skip
def test_the_standard_library(value: object, expected: object) -> None:
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)


def deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


def ring() -> object:
    value: dict[str, object] = {}
    value["again"] = value
    return value


@pytest.mark.parametrize(
    ("value", "field", "words"),
    [
        ({"a": {"b": [0, b"raw"]}}, "content.a.b[1]", "Decode them"),
        (bytearray(b"raw"), "content", "bytes"),
        (np.bytes_(b"raw"), "content", "bytes"),
        ({"a": {1: "x", "1": "y"}}, "content.a", "two keys that are both written '1'"),
        ({"a": {None: "x", float("nan"): "y"}}, "content.a", "'null'"),
        ({"a": object()}, "content.a", "object"),
        ({"a": frame()}, "content.a", "to_dict()"),
        ({"a": frame()["amount"]}, "content.a", "to_dict()"),
        ({"a": 1j}, "content.a", "complex"),
        ({"a": np.complex128(1j)}, "content.a", "complex"),
        ({"a": (n for n in [1])}, "content.a", "generator"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_cannot_hold_is_refused_with_its_place(value: object, field: str, words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        plain(value)
    assert caught.value.field == field
    assert words in str(caught.value)


def test_depth_is_bounded_where_the_contract_bounds_it() -> None:
    assert storable_json(plain(deep(MAX_DEPTH))) == deep(MAX_DEPTH)
    for value in (deep(MAX_DEPTH + 1), ring()):
        with pytest.raises(BadRequest, match="nested deeper than 32 levels"):
            plain(value, "review")


_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_json_values)
def test_what_is_json_already_stays_as_it_is(value: object) -> None:
    assert plain(value) == value


def test_neither_pandas_nor_numpy_is_imported() -> None:
    code = "import sys, hitl_mcp.sdk.plain; sys.exit('pandas' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
