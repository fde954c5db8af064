"""Where the documents disagree with each other, or a server may well differ from them: one switch each."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_type_hints


@dataclass(frozen=True)
class Manners:
    """Lasting habits of a cloud. The defaults are what the newest reference pages say, with `boolean` and `claimed`.

    Attributes:
        window: the hour of the rate limit (1.4): `top_of_hour`, or `from_first_call`.
        reset: X-RateLimit-Reset (1.4): as documented, an hour ago, in milliseconds, or not sent.
        cancel_refunds: cancelling a pending request gives one call back (1.4).
        limit_message: the `msg` of a 429 (1.4).
        usage_data: where a 429 tells the usage (1.3): under `data`, at top level, in a `data` that is text, nowhere.
        retry_after: a 429 carries Retry-After, in seconds.
        slugged_options: option texts are echoed as {value, label}, value in lower case with underscores (3.2).
        slugged_answers: an option that was sent as text is answered by that value instead of its text (3.1, 3.2).
        answers: `response_data` bare, as `{"selected_value": ...}`, or that with a label (3.1, 3.3).
        shows_claimed: `claimed` is shown; else such a request stays `pending` (4.1).
        single: where a read request stands: `data.request`, `data`, or both (2.5).
        list_totals: lists carry `total`, `has_more` and `pagination` (2.5).
        list_answers: items of a list carry `response_data`.
        responder: `response_by` as a user id, that with `response_by_user`, as an object (5.1), or missing (2.5).
        timeout_answer: `response_data` after a timeout (4.3).
        takes_boolean: `boolean` is a response type (2.4).
        cancels_claimed: a claimed request may be cancelled (4.2).
        strict_config: `max_length` of text and `max_selections` are required (3.3, the newest types page).
        deletes_open: a loop with open requests may be deleted (2.2).
        older_extras: replies carry the fields that only older pages show (2.2, 2.3, 2.6, 2.7).
    """

    window: Literal["top_of_hour", "from_first_call"] = "top_of_hour"
    reset: Literal["right", "past", "milliseconds", "missing"] = "right"
    cancel_refunds: bool = False
    limit_message: str = "Rate limit exceeded. Maximum 100 requests per hour per API key."
    usage_data: Literal["data", "top", "text", "missing"] = "data"
    retry_after: bool = False
    slugged_options: bool = False
    slugged_answers: bool = False
    answers: Literal["bare", "object", "labelled"] = "bare"
    shows_claimed: bool = True
    single: Literal["nested", "flat", "both"] = "nested"
    list_totals: bool = True
    list_answers: bool = True
    responder: Literal["id", "id_and_user", "object", "missing"] = "id"
    timeout_answer: Literal["null", "default"] = "null"
    takes_boolean: bool = True
    cancels_claimed: bool = True
    strict_config: bool = False
    deletes_open: bool = True
    older_extras: bool = False


LIMIT_MESSAGES = (
    "API key usage limit exceeded",
    "API key request limit exceeded",
    "API rate limit exceeded",
)
"""The other words of a 429 (1.4)."""


def oddities() -> dict[str, Manners]:
    """Every manner that is not the default, each by itself: "answers=object" and so on."""
    hints = get_type_hints(Manners)
    found: dict[str, Manners] = {}
    for one in fields(Manners):
        usual: Any = one.default
        others: Any = get_args(hints[one.name]) or (LIMIT_MESSAGES if isinstance(usual, str) else (True, False))
        for value in others:
            if value != usual:
                found[f"{one.name}={value}"] = replace(Manners(), **{one.name: value})
    return found
