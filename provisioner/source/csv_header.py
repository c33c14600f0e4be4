"""The header of a CSV file: its delimiter, its columns, or why it is none."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from itertools import dropwhile, islice

import msgspec

from provisioner.errors import InputRefusedError
from provisioner.source.columns import (
    NESTED,
    PAIR,
    PARTICIPANTS,
    closest,
    column_of,
    is_result_column,
)
from provisioner.source.csv_records import BrokenRecordError, read_record
from provisioner.source.lines import Lines
from provisioner.source.masking import shown
from provisioner.source.numbers import canonical_number
from provisioner.source.problems import damage_of

DELIMITERS = (",", ";", "\t", "|")
_LINES_SNIFFED = 10
_NAMES_SHOWN = 12
_NUMBER_DIGITS = 8
_HINT = "Begin the file with a header line, such as participant_1,participant_2,name"


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """`names` as they stand; `columns` maps ours to their index; `kept` are the row's own.

    `is_gathered` where a run wrote the rows of a JSONL file as CSV: cells may hold JSON, and
    several columns may say one thing.
    """

    delimiter: str
    names: tuple[str, ...]
    columns: dict[str, int]
    kept: tuple[int, ...]
    is_gathered: bool = False

    def labels(self) -> dict[str, str]:
        """Our columns as the file's author named them."""
        return {column: self.names[index].strip() for column, index in self.columns.items()}


def read_header(lines: Lines, delimiters: Sequence[str] = DELIMITERS) -> Header:
    """Take the header from `lines`; the delimiter is the first that shows most of our columns.

    Raises:
        InputRefusedError: there is none, or it does not name both participants once.
    """
    delimiter = _sniffed(lines, delimiters)
    try:
        names = read_record(lines, delimiter)
    except BrokenRecordError as error:
        raise InputRefusedError(f"the header cannot be read: {error}", hint=_HINT) from error
    if names is None:
        raise InputRefusedError("the file is empty, it has not even a header", hint=_HINT)
    _check_readable(names)
    kept = tuple(index for index, name in enumerate(names) if not is_result_column(name))
    ours = [column for index in kept if (column := column_of(names[index]))]
    is_gathered = len(kept) < len(names) and (
        len(set(ours)) < len(ours) or not set(NESTED).isdisjoint(ours)
    )
    columns = _columns(names, several=is_gathered)
    if not (is_gathered and PAIR in columns):
        _check_participants(names, columns)
    return Header(
        delimiter=delimiter,
        names=tuple(names),
        columns=columns,
        kept=kept,
        is_gathered=is_gathered,
    )


def _sniffed(lines: Lines, delimiters: Sequence[str]) -> str:
    beginning = list(islice(lines, _LINES_SNIFFED))
    lines.put_back(beginning)
    text = list(dropwhile(str.isspace, beginning))
    return max(delimiters, key=lambda delimiter: _columns_shown(text, delimiter))


def _columns_shown(text: Sequence[str], delimiter: str) -> int:
    try:
        names = next(csv.reader(text, delimiter=delimiter), [])
    except csv.Error:
        return 0
    return sum(column_of(name) is not None for name in names)


def _check_readable(names: Sequence[str]) -> None:
    for name in names:
        if damage := damage_of(name):
            raise InputRefusedError(
                f"the header {damage}",
                hint="save the file as UTF-8, or name its encoding: --encoding cp1252, utf-16-le",
            )


def _columns(names: Sequence[str], *, several: bool) -> dict[str, int]:
    ours = [column_of(name) for name in names]
    for column, count in Counter(ours).items():
        if column is not None and count > 1 and not several:
            twice = [name.strip() for name, own in zip(names, ours, strict=True) if own == column]
            raise InputRefusedError(
                f"the header names the column {column} {count} times: {', '.join(twice)}",
                hint="rename or remove all but one of them",
            )
    return {column: index for index, column in enumerate(ours) if column is not None}


def _check_participants(names: Sequence[str], columns: dict[str, int]) -> None:
    missing = [column for column in PARTICIPANTS if column not in columns]
    if not missing:
        return
    if any(_is_number(name) for name in names):
        raise InputRefusedError(
            "the first line holds phone numbers, not the names of columns", hint=_HINT
        )
    raise InputRefusedError(
        f"the header has no column {' and no column '.join(missing)}; found: {_listed(names)}",
        hint=_renaming(missing, [name.strip() for name in names]),
    )


def _is_number(name: str) -> bool:
    digits = re.sub(r"\D", "", name)
    return len(digits) >= _NUMBER_DIGITS and canonical_number("+" + digits.lstrip("0")) is not None


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(shown(name.strip()) or "(no name)" for name in names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return f"{listed} and {more} more" if more > 0 else listed


def _renaming(missing: Sequence[str], names: list[str]) -> str:
    near = [(found, column) for column in missing if (found := closest(column, names))]
    if not near:
        return _HINT
    return "Rename " + ", ".join(f"{shown(found)} to {column}" for found, column in near) + "."
