"""A job file that is nothing but its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from provisioner.entry import Entry, entry
from provisioner.record import Layout


class RowsInMemory:
    """The Source port over rows at hand; as many rows, as much another file."""

    name = "night.csv"

    def __init__(self, rows: Sequence[Entry]) -> None:
        self._rows = rows
        self.sha256 = f"{len(rows):064x}"

    def entries(self, campaign: str) -> Iterator[list[Entry]]:
        """See the port."""
        yield [_named(row, campaign) for row in self._rows]

    def layout(self) -> Layout:
        """See the port."""
        return Layout(format="csv")


def _named(row: Entry, campaign: str) -> Entry:
    request = row.request
    if request is None:
        return row
    return entry(
        row.number, row.line, row.cells, request=request, key=row.key or "", campaign=campaign
    )
