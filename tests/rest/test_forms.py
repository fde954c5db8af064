"""Forms: several fields answered together (our addition)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rest.backend import Backend

FIELDS: list[dict[str, Any]] = [
    {"name": "article", "type": "content_display", "initial": "# Heat pumps\n\nAn article."},
    {"name": "approved", "type": "boolean", "label": "May it go out?", "required": True},
    {"name": "title", "type": "text", "label": "Title", "required": True, "initial": "Heat pumps", "max_length": 40},
    {"name": "channels", "type": "checkbox_group", "options": ["Blog", "Mail"]},
    {"name": "stars", "type": "rating"},
    {"name": "feedback", "type": "rich_text"},
]
CONFIG: dict[str, Any] = {"fields": FIELDS}


def form(backend: Backend, loop: str, **fields: Any) -> str:
    """A form that waits; its id."""
    return backend.key.asked(
        loop, response_type="form", **({"response_config": CONFIG, "default_response": None} | fields)
    )


def test_a_form_is_echoed_and_answered_as_one_object(backend: Backend, loop: str) -> None:
    asked = form(backend, loop)
    request = backend.key.request(asked).data["request"]
    assert (request["response_type"], request["kind"]) == ("form", "question")
    assert request["response_config"] == CONFIG, "echoed as it was sent"
    given = {"approved": True, "title": "Heat pumps", "channels": ["mail"], "stars": 4.0}
    assert backend.answer(asked, given).status == 200
    data = backend.key.request(asked).data
    kept = {"approved": True, "title": "Heat pumps", "channels": ["Mail"], "stars": 4, "feedback": None}
    assert (data["status"], data["response_data"]) == ("completed", kept)
    assert data["response_data"]["approved"] is True
    assert data["request"]["decision"] is None, "a form is never an approval"


BAD_ANSWERS: list[tuple[Any, str, str]] = [
    (None, "response_data", "must be an object"),
    (True, "response_data", "must be an object"),
    ({}, "response_data.approved", "must be answered"),
    ({"approved": "yes", "title": "x"}, "response_data.approved", "must be true or false"),
    ({"approved": True, "title": " "}, "response_data.title", "must be answered"),
    ({"approved": True, "title": "x" * 41}, "response_data.title", "has 41"),
    ({"approved": True, "title": "x", "stars": 6}, "response_data.stars", "between 1 and 5"),
    ({"approved": True, "title": "x", "article": "x"}, "response_data.article", "is no field to answer"),
    ({"approved": True, "title": "x", "Approved": True}, "response_data.Approved", "is no field to answer"),
]


@pytest.mark.parametrize(("given", "where", "why"), BAD_ANSWERS, ids=[str(i) for i in range(len(BAD_ANSWERS))])
def test_an_answer_to_a_form_that_does_not_fit(backend: Backend, loop: str, given: Any, where: str, why: str) -> None:
    asked = form(backend, loop)
    refused = backend.answer(asked, given)
    assert refused.said == (400, "Invalid response")
    assert refused.data["field"] == where
    assert why in refused.data["issue"]
    assert backend.key.request(asked).data["status"] == "pending"


BAD_FORMS: list[tuple[Any, str]] = [
    ({}, "response_config.fields: Field required"),
    ({"fields": []}, "response_config.fields: List should have at least 1 item"),
    ({"fields": [{"name": "f", "type": "text"}] * 2}, "response_config.fields: fields must differ in name and label"),
    ({"fields": [{"name": "f", "type": "file"}]}, "response_config.fields.0: type file cannot be answered here: take"),
    ({"fields": [{"name": "f", "type": "image_review"}]}, "response_config.fields.0: type image_review cannot be"),
    ({"fields": [{"name": "f", "type": "select", "options": [""]}]}, "response_config.fields.0.options.0.value: "),
    ({"fields": [{"name": "f", "type": "text", "initial": 1}]}, "response_config.fields.0: initial must be text"),
]


@pytest.mark.parametrize(("config", "words"), BAD_FORMS, ids=[str(i) for i in range(len(BAD_FORMS))])
def test_a_form_that_does_not_fit(backend: Backend, loop: str, config: Any, words: str) -> None:
    reply = backend.key.ask(loop, response_type="form", response_config=config, default_response=None)
    status, msg, data = reply.refusal
    assert (status, msg) == (400, "Invalid response configuration")
    assert data.startswith(words), data
    assert "An example for form" in data


def test_a_default_of_a_form_is_null_or_a_whole_answer(backend: Backend, loop: str) -> None:
    reply = backend.key.ask(
        loop, response_type="form", response_config=CONFIG, default_response={"approved": False, "title": "None"}
    )
    whole = {"approved": False, "title": "None", "channels": None, "stars": None, "feedback": None}
    assert reply.data["request"]["default_response"] == whole
    backend.clock.move(3600)
    data = backend.key.request(reply.data["request_id"]).data
    assert (data["status"], data["response_data"], data["default_response"]) == ("timed_out", None, whole)
    refused = backend.key.ask(
        loop, response_type="form", response_config=CONFIG, default_response={"title": "x"}
    ).refusal
    assert refused == (400, "Invalid default response", "default_response.approved must be answered")


def test_a_form_may_change_while_it_waits(backend: Backend, loop: str) -> None:
    asked = form(backend, loop)
    changed = {"fields": [{"name": "approved", "type": "boolean", "required": True}]}
    reply = backend.key.send("PATCH", f"/v1/api/requests/{asked}", {"response_config": changed})
    assert (reply.status, reply.data["request"]["revision"]) == (200, 2)
    assert backend.answer(asked, {"approved": True}).status == 409, "the form that was shown is another one"
    assert backend.answer(asked, {"approved": True}, revision=2).status == 200
