"""Templates: plain record keeping. A person's keys share them; nobody else sees them."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from hitl_mcp.contract.configs import slug
from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.templates import KeptTemplate, NewTemplate, TemplateChange, check_fields
from hitl_mcp.contract.text import canonical
from hitl_mcp.errors import BadRequest, Conflict, NotFound
from hitl_mcp.service import loops
from hitl_mcp.service.actors import Agent
from hitl_mcp.service.clock import moment
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import templates

MAX_SLUG = 200
MOST_KEPT = 16 * 1_048_576
"""Characters that the templates of one person have together: each lookup reads all of them."""
NAMED = 100
"""How many templates a refusal names."""


def create(tx: Tx, agent: Agent, new: NewTemplate) -> KeptTemplate:
    """Keep a new template. Raises: BadRequest for fields that are no form, Conflict for a used key, NotFound (loop)."""
    _check(tx, agent, new.fields, new.loop_id)
    _check_room(tx, agent)
    mine = templates.c.owner_id == agent.user_id
    if new.key is not None:
        taken = select(templates.c.id).where(mine, templates.c.key == new.key)
        if (other := tx.connection.execute(taken).scalar()) is not None:
            raise Conflict("A template with this key exists. Change it with PUT, or choose another key", {"id": other})
    row: dict[str, Any] = {
        "id": new_id(),
        "owner_id": agent.user_id,
        "key": new.key,
        "slug": _short(new.name),
        "name": new.name,
        "fields": canonical(new.fields),
        "loop_id": new.loop_id,
        "settings": canonical(new.settings or {}),
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    tx.connection.execute(insert(templates), row)
    return find(tx, agent, row["id"])


def listed(tx: Tx, agent: Agent) -> list[KeptTemplate]:
    """The templates of the key's person, newest first."""
    return [_template(row) for row in _newest_first(tx, agent)]


def find(tx: Tx, agent: Agent, wanted: str) -> KeptTemplate:
    """One template, by its id, its author's key, or the slug of its name, in any case.

    Of several with one name the newest is meant: a script that makes its template at every start finds its own.

    Raises: NotFound that lists what there is.
    """
    mine = _newest_first(tx, agent)
    low, short = wanted.lower(), _short(wanted)
    for column, value in (("id", low), ("key", low), ("slug", short)):
        for row in mine:
            if value and getattr(row, column) == value:
                return _template(row)
    known = [{"id": row.id, "name": row.name, "slug": row.slug} for row in mine[:NAMED]]
    raise NotFound("Template not found", {"template": wanted, "templates": known})


def change(tx: Tx, agent: Agent, wanted: str, given: TemplateChange) -> KeptTemplate:
    """Change what is given. Raises: NotFound, BadRequest for fields that are no form."""
    before = find(tx, agent, wanted)
    _check(tx, agent, given.fields, given.loop_id)
    if _length(given.fields, given.settings) > _length(before.fields, before.settings):
        _check_room(tx, agent, but=before.id)
    values: dict[str, Any] = {"updated_at": tx.now}
    if given.name is not None:
        values |= {"name": given.name, "slug": _short(given.name)}
    if given.fields is not None:
        values["fields"] = canonical(given.fields)
    if "loop_id" in given.model_fields_set:
        values["loop_id"] = given.loop_id
    if "settings" in given.model_fields_set:
        values["settings"] = canonical(given.settings or {})
    tx.connection.execute(update(templates).where(templates.c.id == before.id).values(values))
    return find(tx, agent, before.id)


def _check(tx: Tx, agent: Agent, fields: list[dict[str, Any]] | None, loop_id: str | None) -> None:
    check_fields(fields)
    if loop_id is not None:
        loops.find_visible(tx, agent, loop_id)


def _length(*parts: Any) -> int:
    return sum(len(canonical(part)) for part in parts if part is not None)


def _check_room(tx: Tx, agent: Agent, but: str = "") -> None:
    length = func.coalesce(func.sum(func.length(templates.c.fields) + func.length(templates.c.settings)), 0)
    others = select(length).where(templates.c.owner_id == agent.user_id, templates.c.id != but)
    if tx.connection.execute(others).scalar_one() >= MOST_KEPT:
        raise BadRequest("Too many templates", "change one of those there are with PUT, or give a new one fewer fields")


def _short(text: str) -> str:
    return slug(text)[:MAX_SLUG]  # one letter may become several


def _newest_first(tx: Tx, agent: Agent) -> list[Row[Any]]:
    order = templates.c.created_at.desc(), templates.c.id
    query = select(templates).where(templates.c.owner_id == agent.user_id).order_by(*order)
    return list(tx.connection.execute(query))


def _template(row: Row[Any]) -> KeptTemplate:
    return KeptTemplate(
        id=row.id, key=row.key, slug=row.slug, name=row.name, fields=json.loads(row.fields), loop_id=row.loop_id,
        settings=json.loads(row.settings), created_at=moment(row.created_at), updated_at=moment(row.updated_at),
    )  # fmt: skip
