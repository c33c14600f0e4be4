"""Result rows as CSV that can be opened in a spreadsheet and read back as a job file."""

from __future__ import annotations

import csv
import re
from typing import TextIO

import msgspec

from provisioner.ports import Layout, RowResult
from provisioner.report.record import COLUMNS, own_cells, record

_BYTE_ORDER_MARK = "\ufeff"
_STARTERS = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
_INVISIBLE = (
    "".join(map(chr, [*range(0x21), *range(0x7F, 0xA1), *range(0x2000, 0x2010)]))
    + "\u1680\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
_CONTROL = frozenset("\t\r\n")
_NUMBER = re.compile(r"[+-]?\d++(?:\.\d++)?", re.ASCII)

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

    A line that could not be read stands in the first column. Columns of the job file that have
    our names (it was a result file) are replaced.
    """

    def __init__(self, file: TextIO, layout: Layout) -> None:
        self._columns = layout.columns
        self._kept = [i for i, name in enumerate(self._columns) if name not in COLUMNS]
        self._lines = _Lines(file, layout.delimiter)
        file.write(_BYTE_ORDER_MARK if layout.bom else "")
        self._lines.add([*(self._columns[i] for i in self._kept), *COLUMNS])

    def write(self, row: RowResult) -> None:
        """Add one row."""
        own, beyond = self._cells(row.cells)
        ours = ["" if value is None else str(value) for value in record(row)]
        self._lines.add(own + ours + beyond)

    def _cells(self, text: str) -> tuple[list[str], list[str]]:
        """The row's own cells under the header, and those beyond it."""
        cells = own_cells(text)
        if isinstance(cells, dict):
            return self._members(cells)
        if isinstance(cells, str):
            cells = [cells]
        width = len(self._columns)
        if len(cells) < width:
            cells += [""] * (width - len(cells))
        if len(self._kept) == len(cells):
            return cells, []
        return [cells[i] for i in self._kept], cells[width:]

    def _members(self, members: dict[str, msgspec.Raw]) -> tuple[list[str], list[str]]:
        own = [_cell(members.pop(self._columns[i], None)) for i in self._kept]
        beyond = {name: members[name] for name in members if name not in COLUMNS}
        return own, [msgspec.json.encode(beyond).decode()] if beyond else []


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
    if raw.startswith(b'"'):
        return _decode_text(raw)
    return "" if raw == b"null" else msgspec.json.format(raw, indent=-1).decode()
