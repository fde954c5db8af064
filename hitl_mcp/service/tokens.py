"""Short-lived tokens: made by an API key, kept as a hash, dead with their key (compatibility section 5).

A token asks, and reads or withdraws a request of its key whose id it knows. It lists nothing, because many visitors of
a page hold tokens of one key and must not read each other's requests.
"""

from __future__ import annotations

import json
import secrets

from sqlalchemy import bindparam, delete, insert, select

from hitl_mcp.contract.teams import Scope
from hitl_mcp.contract.tokens import AccessToken, NewToken
from hitl_mcp.errors import NotAllowed
from hitl_mcp.service import loops
from hitl_mcp.service.actors import Agent
from hitl_mcp.service.clock import moment
from hitl_mcp.service.keys import ALL_SCOPES, Known, hashed
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import access_tokens, api_keys

PREFIX = "hitl_token_"
GRANTABLE = (Scope.REQUESTS_READ, Scope.REQUESTS_WRITE)


def create(tx: Tx, agent: Agent, new: NewToken) -> AccessToken:
    """Make a token of this key. Raises: NotAllowed for what the key itself may not, NotFound for a loop."""
    wanted = list(new.scopes) if new.scopes is not None else [scope for scope in GRANTABLE if scope in agent.scopes]
    if not wanted or not agent.scopes.issuperset(wanted):
        raise NotAllowed("A token can have only scopes that its key has: requests:read, requests:write")
    for loop_id in new.loop_ids or ():
        loops.find_visible(tx, agent, loop_id)
    reached = sorted(set(new.loop_ids)) if new.loop_ids is not None else None
    if reached is None and agent.loop_ids is not None:
        reached = sorted(agent.loop_ids)
    secret, expires_at = PREFIX + secrets.token_urlsafe(32), tx.now + new.expires_in * 1000
    tx.connection.execute(delete(access_tokens).where(access_tokens.c.expires_at <= tx.now))
    entry = {
        "token_hash": hashed(secret),
        "api_key_id": agent.api_key_id,
        "scopes": json.dumps(sorted(wanted)),
        "loop_ids": None if reached is None else json.dumps(reached),
        "created_at": tx.now,
        "expires_at": expires_at,
    }
    tx.connection.execute(insert(access_tokens), entry)
    return AccessToken(
        access_token=secret, expires_in=new.expires_in, expires_at=moment(expires_at), scopes=sorted(wanted),
        loop_ids=reached,
    )  # fmt: skip


_by_hash = (
    select(
        access_tokens,
        api_keys.c.user_id,
        api_keys.c.revoked_at,
        api_keys.c.scopes.label("key_scopes"),
        api_keys.c.loop_ids.label("key_loop_ids"),
    )
    .join(api_keys, api_keys.c.id == access_tokens.c.api_key_id)
    .where(access_tokens.c.token_hash == bindparam("token_hash"))
)


def find(tx: Tx, secret: str) -> Known | None:
    """The living token with this secret; it has no more than its key has now."""
    mark = hashed(secret)
    row = tx.connection.execute(_by_hash, {"token_hash": mark}).first()
    if row is None or row.expires_at <= tx.now:
        return None
    of_key = ALL_SCOPES if row.key_scopes is None else {Scope(name) for name in json.loads(row.key_scopes)}
    scopes = of_key & {Scope(name) for name in json.loads(row.scopes)}
    reached: frozenset[str] | None = None
    for limit in (row.loop_ids, row.key_loop_ids):
        if limit is not None:
            named: frozenset[str] = frozenset(json.loads(limit))
            reached = named if reached is None else reached & named
    agent = Agent(row.api_key_id, row.user_id, scopes=frozenset(scopes), loop_ids=reached, token=mark)
    return Known(agent, row.revoked_at is not None, row.expires_at)


def end_all_of(tx: Tx, api_key_id: str) -> None:
    """End a key's tokens: the data folder's own key is another one in each run."""
    tx.connection.execute(delete(access_tokens).where(access_tokens.c.api_key_id == api_key_id))
