"""Rows of a CSV file."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, TypeAlias

import msgspec

from provisioner.entry import Block, Entry
from provisioner.record import Layout
from provisioner.source.columns import PARTICIPANTS, TERMS
from provisioner.source.csv_header import Header
from provisioner.source.csv_records import BrokenRecordError, split_columns, split_record
from provisioner.source.in_bulk import Columns, accepted
from provisioner.source.jsonl_fields import Gathered, gather
from provisioner.source.known_terms import KnownTerms
from provisioner.source.lines import Lines
from provisioner.source.problems import NUL, broken_row, damage_of, problems_at, replaced
from provisioner.source.validation import Fault, Validator
from provisioner.source.verdicts import Examiner

_Column: TypeAlias = Sequence[str]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class CsvRows:
    """Reads the rows below a header."""

    def __init__(self, header: Header, validator: Validator, campaign: str | None) -> None:
        self._header = header
        self._examiner = Examiner(validator, campaign)
        self._campaign = campaign
        self._width = len(header.names)
        self._others = self._picker((*PARTICIPANTS, "name", "job_id"))
        self._terms = self._picker(TERMS)
        self._known = KnownTerms[tuple[str, ...]](
            validator, lambda raw: dict(zip(TERMS, raw, strict=True))
        )
        self._kept: Callable[[Sequence[Any]], tuple[Any, ...]] = itemgetter(*header.kept)

    def layout(self, *, bom: bool) -> Layout:
        """The shape of the file, without the columns an earlier run added."""
        columns = tuple(self._header.names[index] for index in self._header.kept)
        return Layout(format="csv", delimiter=self._header.delimiter, bom=bom, columns=columns)

    def block(self, lines: Sequence[str], number: int, first_line: int) -> Block | None:
        """See `by_the_block.Reader`."""
        if self._header.is_gathered or any(NUL in line for line in lines):
            return None
        columns = split_columns(lines, self._header.delimiter, self._width)
        cells = None if columns is None else self._texts(columns)
        if columns is None or cells is None:
            return None
        columns = [*columns, ("",) * len(lines)]
        terms = self._known.of(zip(*self._terms(columns), strict=True))
        if terms is None:
            return None
        firsts, seconds, names, job_ids = self._others(columns)
        said = Columns(
            cells=cells,
            terms=terms,
            firsts=firsts,
            seconds=seconds,
            names=names,
            job_ids=job_ids,
        )
        return accepted(said, number, first_line, self._campaign)

    def row(self, line: str, number: int, lines: Lines) -> Entry:
        """See `by_the_block.Reader`."""
        start = lines.number
        try:
            cells = split_record(line, lines, self._header.delimiter)
        except BrokenRecordError as error:
            return broken_row(number, start, error.line, str(error))
        if len(cells) > self._width:
            return self._overfull(number, start, cells)
        cells += [""] * (self._width - len(cells))
        return self._examined(number, start, cells)

    def _texts(self, columns: Sequence[Sequence[str]]) -> list[str] | None:
        try:
            return [_encode(cells).decode() for cells in zip(*self._kept(columns), strict=True)]
        except UnicodeEncodeError:
            return None

    def _examined(self, number: int, line: int, cells: list[str]) -> Entry:
        text = _encode([replaced(cell) for cell in self._kept(cells)]).decode()
        return self._examiner.entry(number, line, text, self._told(cells), self._damage(cells))

    def _told(self, cells: Sequence[str]) -> Gathered:
        header = self._header
        if header.is_gathered:
            return gather({header.names[index]: _value(cells[index]) for index in header.kept})
        fields: dict[str, object] = {
            column: cells[index] for column, index in header.columns.items()
        }
        return Gathered(fields=fields, labels=header.labels())

    def _damage(self, cells: Sequence[str]) -> list[Fault]:
        own = {index: column for column, index in self._header.columns.items()}
        return [
            Fault(
                column=own.get(index, self._header.names[index].strip()),
                value=cells[index],
                message=damage,
            )
            for index in self._header.kept
            if (damage := damage_of(cells[index]))
        ]

    def _overfull(self, number: int, line: int, cells: list[str]) -> Entry:
        own = [replaced(cell) for cell in (*self._kept(cells), *cells[self._width :])]
        fault = Fault(
            column=None,
            message=f"the header has {self._width} columns and this row {len(cells)} cells; "
            "quote a cell that holds the delimiter or a line break",
        )
        problems = problems_at(line, [fault], {})
        return Entry(number=number, line=line, cells=_encode(own).decode(), problems=problems)

    def _picker(self, columns: Sequence[str]) -> Callable[[Sequence[_Column]], tuple[_Column, ...]]:
        # What the file lacks is read from one more column, which is empty.
        return itemgetter(*(self._header.columns.get(column, self._width) for column in columns))


def _value(cell: str) -> object:
    """What a cell says that may hold a JSON list or object."""
    if cell[:1] not in {"[", "{"}:
        return cell
    try:
        return _decode(cell)
    except msgspec.DecodeError:
        return cell
