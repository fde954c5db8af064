"""Where requests live: engines, tables, migrations. How a unit of work runs is decided here and nowhere else.

A *unit of work* is a plain synchronous function over a `Tx`; the store decides where and how it runs. Business rules
are therefore written once for every database. On SQLite one writer thread groups units into durable commits
(`writer.py`); reads run beside it on connections of their own. On PostgreSQL each unit is a transaction of its own over
an async engine (`postgres.py`).
"""

from hitl_mcp.service.store.base import Notice, Store, Tx, Unit

__all__ = ["Notice", "Store", "Tx", "Unit"]
