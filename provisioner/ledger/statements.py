"""The ledger's SQL, by name, from the .sql files beside this module."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

_NAMED = re.compile(r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)

APPLICATION_ID = int.from_bytes(b"prov")
SCHEMA_VERSION = 1
SCHEMA = files(__package__).joinpath("schema.sql").read_text("utf-8")
LISTING_SCHEMA = files(__package__).joinpath("listing.sql").read_text("utf-8")
SQL: dict[str, str] = {
    name: statement.strip()
    for file in ("queries.sql", "settlement.sql", "rates.sql")
    for name, statement in _NAMED.findall(files(__package__).joinpath(file).read_text("utf-8"))
}

MOST_ROWS = 64
"""So many rows are written by one statement: each number of them is compiled, and kept, once."""
KEPT = 4 * MOST_ROWS + 64


@lru_cache(KEPT)
def for_rows(statement: str, rows: int, columns: int) -> str:
    """A named statement for so many rows: its `{rows}` becomes a place for each of their values."""
    row = f"({', '.join('?' * columns)})"
    return SQL[statement].replace("{rows}", ", ".join([row] * rows))
