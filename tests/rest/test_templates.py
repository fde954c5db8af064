"""Templates: fields that reviews of one kind ask, kept under a name (our addition)."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from hitl_mcp.contract import routes
from hitl_mcp.contract.ids import is_id
from tests.rest.backend import Backend, Caller

FIELDS: list[dict[str, Any]] = [
    {"name": "text", "type": "text", "label": "Text", "required": True, "hint": "unknown, and kept"},
    {"name": "approved", "type": "boolean", "label": "OK?", "required": True},
]


@pytest.fixture
def fresh(backend: Backend) -> Caller:
    """A key of a person who has no templates."""
    return backend.new_key("requests:read", "requests:write", "loops:read", "loops:write", email=unused())


def unused() -> str:
    """An address nobody has."""
    return f"{secrets.token_hex(6)}@example.com"


def made(by: Caller, name: str = "Content Review", **more: Any) -> dict[str, Any]:
    """A template."""
    reply = by.post(routes.TEMPLATES, {"name": name, "fields": FIELDS} | more)
    assert reply.said == (201, "Template created successfully"), reply.body
    return reply.data["template"]


def test_a_template_is_kept_as_it_was_sent(fresh: Caller) -> None:
    loop = fresh.new_loop()
    template = made(fresh, key="Content-Check_1", loop_id=loop, settings={"timeout_hours": 4, "x": [None]})
    created, updated = template.pop("created_at"), template.pop("updated_at")
    assert created == updated and created.endswith("Z")
    assert is_id(template.pop("id"))
    assert template == {
        "key": "content-check_1", "slug": "content_review", "name": "Content Review", "fields": FIELDS,
        "loop_id": loop, "settings": {"timeout_hours": 4, "x": [None]},
    }  # fmt: skip
    plain = made(fresh, "  Daten-QA  ")
    assert (plain["key"], plain["slug"], plain["loop_id"], plain["settings"]) == (None, "daten_qa", None, {})
    assert made(fresh, "ß" * 200)["slug"] == "s" * 200


def test_a_template_is_found_by_id_key_and_slug(fresh: Caller) -> None:
    template = made(fresh, key="tmpl.1")
    made(fresh, "Another")
    for name in (template["id"], template["id"].upper(), "tmpl.1", "TMPL.1", "content_review", "Content-Review"):
        reply = fresh.get(routes.TEMPLATE.format(template=name))
        assert reply.said == (200, "Template retrieved successfully"), name
        assert reply.data["template"] == template
    listed = fresh.get(routes.TEMPLATES)
    assert listed.said == (200, "Templates retrieved successfully")
    assert listed.data["count"] == 2 and template in listed.data["templates"]


def test_the_newest_of_one_name_is_meant(backend: Backend, fresh: Caller) -> None:
    older = made(fresh)
    backend.clock.move(1)
    newer = made(fresh)
    assert fresh.get(routes.TEMPLATE.format(template="content_review")).data["template"]["id"] == newer["id"]
    assert fresh.get(routes.TEMPLATE.format(template=older["id"])).data["template"] == older


def test_a_template_changes_in_what_is_given(backend: Backend, fresh: Caller) -> None:
    template = made(fresh, key="k", settings={"a": 1})
    backend.clock.move(1)
    path = routes.TEMPLATE.format(template="content_review")
    fields = [{"name": "note", "type": "text"}]
    reply = fresh.send("PUT", path, {"fields": fields})
    assert reply.said == (200, "Template updated successfully")
    updated = reply.data["template"]["updated_at"]
    assert updated > template["updated_at"]
    assert reply.data["template"] == template | {"fields": fields, "updated_at": updated}
    loop = fresh.new_loop()
    renamed = fresh.send("PUT", path, {"name": "Data QA", "loop_id": loop, "settings": None}).data["template"]
    assert (renamed["slug"], renamed["loop_id"], renamed["settings"], renamed["key"]) == ("data_qa", loop, {}, "k")
    assert fresh.get(path).status == 404, "the former name is gone"
    assert (
        fresh.send("PUT", routes.TEMPLATE.format(template="k"), {"loop_id": None}).data["template"]["loop_id"] is None
    )
    empty = fresh.send("PUT", routes.TEMPLATE.format(template="k"), {})
    assert empty.said == (400, "At least one field must be provided for update")
    nameless = fresh.send("PUT", path, {"name": None})
    assert nameless.said == (400, "Template name is required")


def test_an_unknown_template_is_told_what_there_is(fresh: Caller) -> None:
    template = made(fresh)
    known = [{"id": template["id"], "name": "Content Review", "slug": "content_review"}]
    for method, body in (("GET", None), ("PUT", {"name": "x"})):
        for name in ("content", "0" * 24, "%00", "%2E", "___"):
            refusal = fresh.send(method, routes.TEMPLATE.format(template=name), body).refusal
            assert refusal[:2] == (404, "Template not found"), name
            assert refusal[2]["templates"] == known


def test_templates_belong_to_a_person(backend: Backend) -> None:
    template = made(backend.key, "Shared by keys of one person")
    path = routes.TEMPLATE.format(template=template["id"])
    assert backend.second.get(path).data["template"] == template
    assert backend.other.get(path).status == 404
    assert backend.other.send("PUT", path, {"name": "Taken over"}).status == 404
    assert template["id"] not in str(backend.other.get(routes.TEMPLATES).body)
    elsewhere = backend.other.new_loop()
    refused = backend.key.post(routes.TEMPLATES, {"name": "x", "fields": FIELDS, "loop_id": elsewhere})
    assert refused.said == (403, "Access denied to this loop")


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"fields": FIELDS}, "Validation failed", "name is required"),
    ({"name": "", "fields": FIELDS}, "Validation failed", "name String should have at least 1 character"),
    ({"name": " - ", "fields": FIELDS}, "Validation failed", "name must hold letters or digits"),
    ({"name": "n" * 201, "fields": FIELDS}, "Validation failed", "name String should have at most 200 characters"),
    ({"name": "x"}, "Validation failed", "fields is required"),
    ({"name": "x", "fields": []}, "Validation failed", "fields List should have at least 1 item"),
    ({"name": "x", "fields": ["y"]}, "Invalid request body", "fields.0 must be a JSON object"),
    ({"name": "x", "fields": FIELDS, "key": "a b"}, "Validation failed", "key String should match pattern"),
    (
        {"name": "x", "fields": FIELDS, "loop_id": "x"},
        "Validation failed",
        "loop_id must be an id: 24 characters 0-9 and a-f",
    ),
    ({"name": "x", "fields": FIELDS, "loop_id": "0" * 24}, "Loop not found", ""),
    ({"name": "x", "fields": FIELDS, "settings": []}, "Invalid request body", "settings must be a JSON object"),
    ({"name": "x", "fields": [{"name": "f", "type": "file"}]}, "Invalid template fields", "fields.0: type file cannot"),
    ({"name": "x", "fields": [*FIELDS, *FIELDS]}, "Invalid template fields", "fields: fields must differ in name"),
]


@pytest.mark.parametrize(("body", "msg", "words"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_a_template_that_does_not_fit(backend: Backend, body: dict[str, Any], msg: str, words: str) -> None:
    reply = backend.key.post(routes.TEMPLATES, body)
    assert reply.msg == msg and reply.status in (400, 404)
    assert (reply.body.get("data") or "").startswith(words), reply.body


def test_a_key_names_one_template(backend: Backend, fresh: Caller) -> None:
    template = made(fresh, key="once")
    refused = fresh.post(routes.TEMPLATES, {"name": "Other", "fields": FIELDS, "key": "ONCE"})
    assert refused.status == 409 and refused.msg.startswith("A template with this key exists")
    assert refused.data == {"id": template["id"]}
    other = backend.new_key(email=unused())
    assert made(other, key="once")["key"] == "once", "keys are a person's own"


def test_the_templates_of_a_person_have_an_end(fresh: Caller) -> None:
    body = {"name": "Long", "fields": FIELDS, "settings": {"much": "y" * 1_000_000}}
    came = [fresh.post(routes.TEMPLATES, body) for _ in range(18)]
    assert came[0].status == 201
    assert came[-1].refusal[:2] == (400, "Too many templates"), "each lookup reads all of them"
    known = came[0].data["template"]["id"]
    shorter = fresh.send("PUT", routes.TEMPLATE.format(template=known), {"settings": {}})
    assert shorter.status == 200, "and what there is can be made shorter"
