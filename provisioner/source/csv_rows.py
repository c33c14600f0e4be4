"""Rows of a CSV file."""

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter

import msgspec

from provisioner.entry import Entry
from provisioner.record import Layout
from provisioner.source.columns import PARTICIPANTS, TERMS
from provisioner.source.csv_header import Header
from provisioner.source.csv_records import BrokenRecordError, split_record
from provisioner.source.jsonl_fields import Gathered, gather
from provisioner.source.lines import Lines
from provisioner.source.problems import NUL_ESCAPE, broken_row, damage_of, problems_at, replaced
from provisioner.source.validation import Accepted, Fault, Validator

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class CsvRows:
    """Iterates over the rows below a header."""

    def __init__(self, header: Header, validator: Validator, campaign: str | None) -> None:
        self._header = header
        self._validator = validator
        self._campaign = campaign
        self._width = len(header.names)
        self._pair = self._picker(PARTICIPANTS)
        self._labels_of = self._picker(("name", "job_id"))
        self._terms = self._picker(TERMS)
        self._keeps_all = len(header.kept) == self._width
        self._kept: Callable[[Sequence[str]], tuple[str, ...]] = itemgetter(*header.kept)

    def layout(self, *, bom: bool) -> Layout:
        """The shape of the file, without the columns an earlier run added."""
        columns = tuple(self._header.names[index] for index in self._header.kept)
        return Layout(format="csv", delimiter=self._header.delimiter, bom=bom, columns=columns)

    def read(self, lines: Lines) -> Iterator[Entry]:
        """The rows from where `lines` stand."""
        delimiter, number = self._header.delimiter, 0
        for line in lines:
            if line.isspace():
                continue
            number += 1
            start = lines.number
            try:
                cells = split_record(line, lines, delimiter)
            except BrokenRecordError as error:
                yield broken_row(number, start, error.line, str(error))
            else:
                yield self._row(number, start, cells)

    def _row(self, number: int, line: int, cells: list[str]) -> Entry:
        if len(cells) > self._width:
            return self._overfull(number, line, cells)
        if len(cells) < self._width:
            cells += [""] * (self._width - len(cells))
        text = _sound_json(self._own(cells))
        cells.append("")  # what a column that the file lacks is read from
        if text is not None and not self._header.is_gathered:
            name, job_id = self._labels_of(cells)
            accepted = self._validator.recognise(
                self._terms(cells), self._pair(cells), name, job_id
            )
            if accepted is not None:
                return accepted.entry(number, line, text, self._campaign)
        return self._examined(number, line, cells)

    def _examined(self, number: int, line: int, cells: list[str]) -> Entry:
        text = _encode([replaced(cell) for cell in self._kept(cells)]).decode()
        told = self._told(cells)
        verdict = self._validator.examine(told.fields)
        faults = self._damage(cells) + told.faults
        if isinstance(verdict, Accepted) and not faults:
            if not self._header.is_gathered:
                self._validator.remember(self._terms(cells), verdict.terms)
            return verdict.entry(number, line, text, self._campaign)
        settled = told.settled | {fault.column for fault in faults}
        if not isinstance(verdict, Accepted):
            faults += [fault for fault in verdict if fault.column not in settled]
        problems = problems_at(line, faults, told.labels)
        return Entry(number=number, line=line, cells=text, problems=problems)

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

    def _own(self, cells: list[str]) -> Sequence[str]:
        return cells if self._keeps_all else self._kept(cells)

    def _picker(self, columns: Sequence[str]) -> Callable[[Sequence[str]], tuple[str, ...]]:
        return itemgetter(*(self._header.columns.get(column, self._width) for column in columns))


def _value(cell: str) -> object:
    """What a cell says that may hold a JSON list or object."""
    if cell[:1] not in {"[", "{"}:
        return cell
    try:
        return _decode(cell)
    except msgspec.DecodeError:
        return cell


def _sound_json(cells: Sequence[str]) -> str | None:
    try:
        text = _encode(cells).decode()
    except UnicodeEncodeError:
        return None
    return None if NUL_ESCAPE in text else text
