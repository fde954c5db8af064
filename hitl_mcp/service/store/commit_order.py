"""In which order commits become visible, asked of PostgreSQL (H23). SQLite needs none of it: it commits in order.

A transaction of ours takes its number before its position in the log (see `PostgresStore`), so once every transaction
below a number has ended, no position that was taken before that number was given can still appear.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, text

from hitl_mcp.service.store.base import Tx

_OLDEST = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS id").columns(id=BigInteger)
_NEXT = text("SELECT pg_current_xact_id()::text::bigint AS id").columns(id=BigInteger)


def oldest_open(tx: Tx) -> int:
    """Every transaction with a lower number has ended, and what it committed is seen by the next statement."""
    return tx.connection.execute(_OLDEST).scalar_one()


def newest_begun(tx: Tx) -> int:
    """A number above that of every transaction that has one already.

    It is taken, not looked up: a snapshot's upper bound is the highest number that has *ended*, and may lie below one
    that is still running.
    """
    return tx.connection.execute(_NEXT).scalar_one()
