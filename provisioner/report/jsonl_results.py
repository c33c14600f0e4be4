"""Result rows as JSON, one object a line."""

from __future__ import annotations

from typing import TextIO

import msgspec

from provisioner.job import RESULT_COLUMNS
from provisioner.record import Layout, RowResult
from provisioner.report.record import own_cells, record

_Ours = msgspec.defstruct("_Ours", RESULT_COLUMNS, frozen=True)
_encode = msgspec.json.Encoder().encode


class JsonlResults:
    """Writes rows to one file: the row's own members as they were, then ours.

    A line that could not be read is the member `_raw`; cells beyond the header are `_beyond`.
    """

    def __init__(self, file: TextIO, layout: Layout) -> None:
        self._write = file.write
        self._columns = layout.columns

    def write(self, row: RowResult) -> None:
        """Add one row."""
        own = self._members(row.cells)
        ours = _encode(_Ours(*record(row))).decode()
        separator = "," if own else ""
        self._write(f"{{{own}{separator}{ours[1:]}\n")

    def _members(self, text: str) -> str:
        """The row's own members, without the braces around them."""
        cells = own_cells(text)
        if isinstance(cells, dict):
            # Line ends can only stand between its members, where a space says the same.
            return text.strip()[1:-1].strip().replace("\r", " ").replace("\n", " ")
        named = {"_raw": cells} if isinstance(cells, str) else self._named(cells)
        return _encode(named).decode()[1:-1]

    def _named(self, cells: list[str]) -> dict[str, object]:
        named: dict[str, object] = dict(zip(self._columns, cells, strict=False))
        beyond = cells[len(self._columns) :]
        return named | {"_beyond": beyond} if beyond else named
