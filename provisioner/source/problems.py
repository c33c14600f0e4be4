"""From faults in values to problems in a file: the line, and the column as its author named it."""

import re
from collections.abc import Iterable, Mapping

import msgspec

from provisioner.entry import Entry
from provisioner.job import Problem
from provisioner.source.columns import PAIR, PARTICIPANTS
from provisioner.source.masking import shown, shown_participant
from provisioner.source.validation import Fault

_SURROGATES = re.compile(r"[\ud800-\udfff]+")
_CUT_LENGTH = 10_000
_encode = msgspec.json.Encoder().encode
_NUMBER_COLUMNS = frozenset({*PARTICIPANTS, PAIR})

NUL = "\0"
NUL_ESCAPE = "\\u0000"
HOLDS_NUL = "holds a NUL character; remove it, or name the file's --encoding"
NOT_DECODABLE = "has bytes that are not in the file's encoding; save as UTF-8, or name --encoding"


def problems_at(
    line: int, faults: Iterable[Fault], labels: Mapping[str, str]
) -> tuple[Problem, ...]:
    """The faults of the row that starts at `line`; `labels` maps our columns to the file's."""
    return tuple(
        Problem(
            line=line,
            column=labels.get(fault.column, fault.column) if fault.column else None,
            value=_shown(fault),
            message=fault.message,
        )
        for fault in faults
    )


def broken_row(number: int, line: int, text: str, message: str) -> Entry:
    """A row that could not even be split into columns; its cells are its line, as one string."""
    cells = _encode(_cut(replaced(text.rstrip("\r\n")))).decode()
    problems = (Problem(line=line, message=message),)
    return Entry(number=number, line=line, cells=cells, problems=problems)


def damage_of(text: str) -> str | None:
    """What no cell may hold, as a message; None for sound text."""
    if NUL in text:
        return HOLDS_NUL
    return NOT_DECODABLE if _SURROGATES.search(text) else None


def replaced(text: str) -> str:
    """Text with what could not be decoded as U+FFFD."""
    return _SURROGATES.sub("\ufffd", text)


def _cut(text: str) -> str:
    return text if len(text) <= _CUT_LENGTH else text[:_CUT_LENGTH] + "…"


def _shown(fault: Fault) -> str | None:
    if fault.value is None:
        return None
    if fault.column in _NUMBER_COLUMNS:
        return shown_participant(fault.value)
    return shown(fault.value)
