"""Records from the lines of a CSV file; one that cannot be read costs one record, not the rest."""

import csv
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from provisioner.source.lines import LINE_LENGTH, Lines

RECORD_LENGTH = 1 << 17
RECORD_LINES = 1000
"""What a record of several lines may hold, so that a stray quote is given up soon."""


class BrokenRecordError(ValueError):
    """A record that cannot be split into cells; `line` is its first one, verbatim."""

    def __init__(self, message: str, line: str) -> None:
        super().__init__(message)
        self.line = line


def read_record(lines: Lines, delimiter: str) -> list[str] | None:
    """The cells of the next record that is not blank, None at the end.

    Afterwards the lines stand behind it.

    Raises:
        BrokenRecordError: quotes do not match, or it is too long; the lines stand behind its first.
    """
    for line in lines:
        if not line.isspace():
            return split_record(line, lines, delimiter)
    return None


def split_record(line: str, lines: Lines, delimiter: str) -> list[str]:
    """The cells of the record that begins with `line`, which was just taken from `lines`.

    Raises:
        BrokenRecordError: as `read_record`.
    """
    if len(line) > LINE_LENGTH:
        raise BrokenRecordError(f"longer than {LINE_LENGTH} characters; split or shorten it", line)
    if '"' not in line:
        return line.rstrip("\r\n").split(delimiter)
    taken = [line]
    try:
        return next(csv.reader(_following(taken, lines), delimiter=delimiter, strict=True))
    except csv.Error as error:
        # What follows may be sound: only the first line is given up.
        lines.put_back(taken[1:])
        raise BrokenRecordError(_explained(error, len(taken)), line) from error


def split_columns(
    lines: Sequence[str], delimiter: str, width: int
) -> Sequence[Sequence[str]] | None:
    """The columns of lines that hold a whole record each, of `width` cells at most; else None."""
    text = "".join(lines).replace("\r\n", "\n")
    if '"' in text or "\r" in text:
        return _columns_of_records(lines, delimiter, width)
    cells = text.removesuffix("\n").replace("\n", delimiter + "\n").split(delimiter)
    columns = [cells[index::width] for index in range(width)]
    # Only if every line has `width` cells does each begin in the first column.
    columns[0] = "".join(columns[0]).split("\n")
    if set(map(len, columns)) != {len(lines)}:
        return _columns_of_records(lines, delimiter, width)
    return columns


def _columns_of_records(
    lines: Sequence[str], delimiter: str, width: int
) -> Sequence[Sequence[str]] | None:
    try:
        records = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    if len(records) < len(lines) or max(map(len, records)) > width:
        return None
    columns = list(zip_longest(*records, fillvalue=""))
    return columns + [("",) * len(records)] * (width - len(columns))


def _following(taken: list[str], lines: Lines) -> Iterator[str]:
    yield taken[0]
    length = len(taken[0])
    for line in lines:
        taken.append(line)
        length += len(line)
        if length > RECORD_LENGTH or len(taken) > RECORD_LINES:
            raise csv.Error("unexpected end of data")
        yield line


def _explained(error: csv.Error, lines_taken: int) -> str:
    if lines_taken > 1 or "unexpected end" in str(error):
        return "a quote is opened on this line and not closed; close it, or double a quote inside"
    if "field limit" in str(error):
        return f"a cell is longer than {csv.field_size_limit()} characters; shorten it"
    return 'text follows a closing quote; double every quote inside a cell: "say ""hi"""'
