"""What the tables are made of."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, MetaData, String, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID = String(24)
POSITION = BigInteger().with_variant(Integer, "sqlite")  # SQLite's AUTOINCREMENT wants exactly INTEGER


def only_where_set(name: str, column: str) -> Index:
    """An index over the few rows that have a value there."""
    condition = text(f"{column} IS NOT NULL")
    return Index(name, column, sqlite_where=condition, postgresql_where=condition)
