"""The ledger's SQL, by name, from the .sql files beside this module."""

from __future__ import annotations

import re
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
