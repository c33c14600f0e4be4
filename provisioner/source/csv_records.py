"""Records from the lines of a CSV file; one that cannot be read costs one record, not the rest."""

import csv
from collections.abc import Iterator, Sequence

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


def split_lines(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """The cells of as many of these lines as hold a whole record each: all, none, or some."""
    if not any('"' in line for line in lines):
        return [line.rstrip("\r\n").split(delimiter) for line in lines]
    try:
        return list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return []


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
