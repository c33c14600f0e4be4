"""Result rows as JSON, one object a line."""

from __future__ import annotations

from typing import TextIO

import msgspec

from provisioner.ports import Layout, RowResult
from provisioner.report.record import COLUMNS, own_cells, record

_encode = msgspec.json.Encoder().encode


class JsonlResults:
    """Writes rows to one file: the row's own members as they were, then ours.

    A line that could not be read is the member `_raw`; cells beyond the header are `_beyond`.
    Members of the job file that have our names (it was a result file) are replaced.
    """

    def __init__(self, file: TextIO, layout: Layout) -> None:
        self._write = file.write
        self._columns = layout.columns

    def write(self, row: RowResult) -> None:
        """Add one row."""
        own = self._members(row.cells)
        ours = _encode(dict(zip(COLUMNS, record(row), strict=True))).decode()
        separator = "," if own else ""
        self._write(f"{{{own}{separator}{ours[1:]}\n")

    def _members(self, text: str) -> str:
        """The row's own members, without the braces around them."""
        if text.startswith("{") and '"_' not in text:
            return text.strip()[1:-1].strip()
        return _encode(self._object(text)).decode()[1:-1]

    def _object(self, text: str) -> dict[str, object]:
        cells = own_cells(text)
        if isinstance(cells, str):
            return {"_raw": cells}
        members = self._named(cells) if isinstance(cells, list) else cells
        return {name: value for name, value in members.items() if name not in COLUMNS}

    def _named(self, cells: list[str]) -> dict[str, object]:
        named: dict[str, object] = dict(zip(self._columns, cells, strict=False))
        beyond = cells[len(self._columns) :]
        return named | {"_beyond": beyond} if beyond else named
