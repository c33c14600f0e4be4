"""Rows of a CSV file."""

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter

import msgspec

from provisioner.job import Row
from provisioner.record import Layout
from provisioner.source.columns import PARTICIPANTS, TERMS
from provisioner.source.csv_header import Header
from provisioner.source.csv_records import BrokenRecordError, split_record
from provisioner.source.lines import Lines
from provisioner.source.problems import NUL_ESCAPE, broken_row, damage_of, problems_at, replaced
from provisioner.source.validation import Accepted, Fault, Validator

_encode = msgspec.json.Encoder().encode


class CsvRows:
    """Iterates over the rows below a header."""

    def __init__(self, header: Header, validator: Validator) -> None:
        self._header = header
        self._validator = validator
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

    def read(self, lines: Lines) -> Iterator[Row]:
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

    def _row(self, number: int, line: int, cells: list[str]) -> Row:
        if len(cells) > self._width:
            return self._overfull(number, line, cells)
        if len(cells) < self._width:
            cells += [""] * (self._width - len(cells))
        text = _sound_json(self._own(cells))
        cells.append("")  # what a column that the file lacks is read from
        if text is not None:
            name, job_id = self._labels_of(cells)
            accepted = self._validator.recognise(
                self._terms(cells), self._pair(cells), name, job_id
            )
            if accepted is not None:
                return Row(
                    number=number, line=line, cells=text, key=accepted.key, request=accepted.request
                )
        return self._examined(number, line, cells)

    def _examined(self, number: int, line: int, cells: list[str]) -> Row:
        header = self._header
        text = _encode([replaced(cell) for cell in self._kept(cells)]).decode()
        verdict = self._validator.examine(
            {column: cells[index] for column, index in header.columns.items()}
        )
        faults = self._damage(cells)
        if isinstance(verdict, Accepted) and not faults:
            self._validator.remember(self._terms(cells), verdict.request)
            return Row(
                number=number, line=line, cells=text, key=verdict.key, request=verdict.request
            )
        damaged = {fault.column for fault in faults}
        if not isinstance(verdict, Accepted):
            faults += [fault for fault in verdict if fault.column not in damaged]
        problems = problems_at(line, faults, header.labels())
        return Row(number=number, line=line, cells=text, problems=problems)

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

    def _overfull(self, number: int, line: int, cells: list[str]) -> Row:
        own = [replaced(cell) for cell in (*self._kept(cells), *cells[self._width :])]
        fault = Fault(
            column=None,
            message=f"the header has {self._width} columns and this row {len(cells)} cells; "
            "quote a cell that holds the delimiter or a line break",
        )
        problems = problems_at(line, [fault], {})
        return Row(number=number, line=line, cells=_encode(own).decode(), problems=problems)

    def _own(self, cells: list[str]) -> Sequence[str]:
        return cells if self._keeps_all else self._kept(cells)

    def _picker(self, columns: Sequence[str]) -> Callable[[Sequence[str]], tuple[str, ...]]:
        return itemgetter(*(self._header.columns.get(column, self._width) for column in columns))


def _sound_json(cells: Sequence[str]) -> str | None:
    try:
        text = _encode(cells).decode()
    except UnicodeEncodeError:
        return None
    return None if NUL_ESCAPE in text else text
