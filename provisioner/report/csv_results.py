"""Result rows as CSV that can be opened in a spreadsheet and read back as a job file."""

from __future__ import annotations

import csv
import re
from typing import TextIO

import msgspec

from provisioner.job import RESULT_COLUMNS
from provisioner.record import Layout, RowResult
from provisioner.report.record import own_cells, record

_BYTE_ORDER_MARK = "\ufeff"
_STARTERS = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
_INVISIBLE = (
    "".join(map(chr, [*range(0x21), *range(0x7F, 0xA1), *range(0x2000, 0x2010)]))
    + "\u1680\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
_CONTROL = frozenset("\t\r\n")
_NUMBER = re.compile(r"[+-]?\d++(?:\.\d++)?", re.ASCII)
_NESTED = frozenset({b"{", b"["})

_decode_text = msgspec.json.Decoder(str).decode


def defused(cell: str) -> str:
    """A cell that no spreadsheet runs: led by `'` where it would, unless it is a plain number.

    Formulas begin with `=`, `+`, `-` or `@`, full-width or not, behind any white space; a cell
    that begins with a tab or a line end is defused as well.
    """
    if _NUMBER.fullmatch(cell):
        return cell
    runs = cell[:1] in _CONTROL or cell.lstrip(_INVISIBLE)[:1] in _STARTERS
    return "'" + cell if runs else cell


class CsvResults:
    """Writes rows to one file: the row's own cells, ours, then any beyond the header.

    A line that could not be read stands in the first column.
    """

    def __init__(self, file: TextIO, layout: Layout) -> None:
        self._columns = layout.columns
        self._lines = _Lines(file, layout.delimiter)
        file.write(_BYTE_ORDER_MARK if layout.bom else "")
        self._lines.add([*layout.columns, *RESULT_COLUMNS])

    def write(self, row: RowResult) -> None:
        """Add one row."""
        own = self._cells(row.cells)
        width = len(self._columns)
        own[width:width] = [""] * (width - len(own)) + [
            value if type(value) is str else "" if value is None else str(value)
            for value in record(row)
        ]
        self._lines.add(own)

    def _cells(self, text: str) -> list[str]:
        cells = own_cells(text)
        if isinstance(cells, dict):
            return self._members(cells)
        return [cells] if isinstance(cells, str) else cells

    def _members(self, members: dict[str, msgspec.Raw]) -> list[str]:
        """By column, then what no column is named for, as one JSON object."""
        cells = [_cell(members.pop(name, None)) for name in self._columns]
        return [*cells, msgspec.json.encode(members).decode()] if members else cells


class _Lines:
    """Lines of defused cells, ended by a line feed.

    Nearly every line needs neither quotes nor defusing, which shows at a glance: such a line is
    its cells joined, at half the cost.
    """

    def __init__(self, file: TextIO, delimiter: str) -> None:
        self._write = file.write
        self._delimiter = delimiter
        # The writer quotes only the characters of its own line end, hence both.
        self._writer = csv.writer(_LineFeeds(file), delimiter=delimiter, lineterminator="\r\n")
        between = re.escape(delimiter)
        self._odd_start = re.compile(
            rf"{between}(?![A-Za-z0-9{between}\n]|{_NUMBER.pattern}[{between}\n])", re.ASCII
        ).search

    def add(self, cells: list[str]) -> None:
        line = self._delimiter.join(cells)
        if self._is_plain(line, len(cells)):
            self._write(line + "\n")
        else:
            self._writer.writerow([defused(cell) for cell in cells])

    def _is_plain(self, line: str, cells: int) -> bool:
        quoted = '"' in line or "\n" in line or "\r" in line
        return (
            not quoted
            and line.count(self._delimiter) == cells - 1
            and not self._odd_start(f"{self._delimiter}{line}\n")
        )


class _LineFeeds:
    def __init__(self, file: TextIO) -> None:
        self._write = file.write

    def write(self, line: str) -> None:
        self._write(line.removesuffix("\r\n") + "\n")


def _cell(value: msgspec.Raw | None) -> str:
    """A JSON value as a cell: texts bare, null empty, the rest as compact JSON."""
    raw = b"null" if value is None else bytes(value)
    if raw[:1] == b'"':
        return _decode_text(raw)
    if raw[:1] in _NESTED:
        return msgspec.json.format(raw, indent=-1).decode()
    return "" if raw == b"null" else raw.decode()
