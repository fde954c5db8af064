"""Which requests differ in details only: the same agent's, in one loop, of one kind, in the same words.

Details are what stands for one case of many: numbers, ids, addresses, and what is quoted.
"""

from __future__ import annotations

import re

from sqlalchemy import bindparam, func, select

from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.text import digest
from hitl_mcp.service import rows
from hitl_mcp.service.actors import Person
from hitl_mcp.service.lifecycle.guards import NOT_HELD
from hitl_mcp.service.membership import IN_MY_LOOP
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import requests

# an agent's text may be long and made to be slow: none of these looks at a character more than a few times
_QUOTED = re.compile(r"""\"[^"\n]*\" | '[^'\n]*' | `[^`\n]*` | “[^“”\n]*” | «[^«»\n]*»""", re.VERBOSE)
_TOKEN = re.compile(r"\S+")
_WORD = re.compile(r"[\w-]+")
_DIGIT = re.compile(r"\d")
_among = (rows.IS_OPEN, requests.c.timeout_at > bindparam("now"), NOT_HELD, IN_MY_LOOP)
_like = select(requests.c.similar).where(requests.c.id == bindparam("request_id"), IN_MY_LOOP).scalar_subquery()
_ids = (
    select(requests.c.id)
    .where(*_among, requests.c.similar == _like, requests.c.id != bindparam("request_id"))
    .order_by(requests.c.timeout_at, requests.c.id)
    .limit(bindparam("most"))
)
_groups = (
    select(requests.c.similar)
    .where(*_among, requests.c.similar.is_not(None))
    .group_by(requests.c.similar)
    .having(func.count() > 1)
)
_grouped = select(requests.c.id, requests.c.similar).where(*_among, requests.c.similar.in_(_groups))


def in_common(loop_id: str, api_key_id: str, fields: rows.Columns) -> str:
    """What similar requests share, as a digest.

    Args:
        fields: the request's columns `kind`, `type`, `request_text`, `response_type` and `response_config`.
    """
    words = " ".join(_without_details(fields["request_text"]).split()).casefold()
    same = [fields[name] for name in ("kind", "type", "response_type", "response_config")]
    return digest([loop_id, api_key_id, words, *same])


def _without_details(text: str) -> str:
    return _TOKEN.sub(lambda found: _masked(found[0]), _QUOTED.sub("#", text))


def _masked(token: str) -> str:
    """Addresses as a whole; else the words in it that hold a digit: ids, hashes, amounts."""
    if "://" in token or "@" in token:
        return "#"
    return _WORD.sub(lambda word: "#" if _DIGIT.search(word[0]) else word[0], token)


def open_like(tx: Tx, person: Person, request_id: str, most: int) -> list[ReviewRequest]:
    """Open requests of this person's loops that are similar to one of them, the next deadline first, without it."""
    values = {"request_id": request_id, "now": tx.now, "user_id": person.user_id, "most": most}
    return [rows.find_view(tx, found) for found in tx.connection.execute(_ids, values).scalars().all()]


def groups(tx: Tx, person: Person) -> dict[str, str]:
    """The open requests of this person's loops that others are similar to: what they have in common, by id."""
    values = {"now": tx.now, "user_id": person.user_id}
    return {row.id: row.similar for row in tx.connection.execute(_grouped, values)}
