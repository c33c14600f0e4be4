"""Rows by the block where all of a block are sound and of known kinds, else one at a time."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from provisioner.entry import Block, Entry
from provisioner.source.lines import LINE_LENGTH, Lines

_LARGEST = 512
_SMALLEST = 16


class Reader(Protocol):
    """Two ways to read rows; what the first of them accepts the second would read the same."""

    def block(self, lines: Sequence[str], number: int, first_line: int) -> Block | None:
        """One row from each of these lines, from row `number` on; None where that needs a look."""

    def row(self, line: str, number: int, lines: Lines) -> Entry:
        """The row that begins with `line`, which was just taken from `lines`."""


def read(lines: Lines, reader: Reader) -> Iterator[Sequence[Entry] | Block]:
    """All rows in their order, from where `lines` stand.

    A block with a row that needs a look is halved until few rows are looked at; from there the
    next ones double again.
    """
    size, number = _LARGEST, 1
    while taken := lines.take(size):
        first_line = lines.number - len(taken) + 1
        rows: Sequence[Entry] | Block | None = None
        if max(map(len, taken)) <= LINE_LENGTH:
            rows = reader.block(taken, number, first_line)
        if rows is not None:
            size = min(2 * size, _LARGEST)
        else:
            lines.put_back(taken)
            size = max(min(size, len(taken)) // 2, _SMALLEST)
            if len(taken) > _SMALLEST:
                continue
            rows = _one_by_one(lines, reader, number, lines.number + len(taken))
        number += len(rows)
        yield rows


def _one_by_one(lines: Lines, reader: Reader, number: int, last_line: int) -> list[Entry]:
    """The rows from `number` on that begin up to `last_line`."""
    rows: list[Entry] = []
    for line in lines:
        if not line.isspace():
            rows.append(reader.row(line, number + len(rows), lines))
        if lines.number >= last_line:
            break
    return rows
