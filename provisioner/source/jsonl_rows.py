"""Rows of a JSONL file: one object to a line, in our spelling or the API's."""

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from provisioner.entry import Block, Entry
from provisioner.errors import InputRefusedError
from provisioner.record import Layout
from provisioner.source.columns import is_result_column
from provisioner.source.in_bulk import accepted
from provisioner.source.jsonl_fields import gather
from provisioner.source.jsonl_kinds import ObjectKinds
from provisioner.source.lines import LINE_LENGTH, Lines
from provisioner.source.problems import (
    HOLDS_NUL,
    NOT_DECODABLE,
    NUL_ESCAPE,
    broken_row,
)
from provisioner.source.validation import Fault, Validator
from provisioner.source.verdicts import Examiner

DEPTH = 64
"""Levels of nesting; what is deeper could not be read again further down a call stack."""

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_BYTE = re.compile(r" \(byte (\d+)\)")
_TOO_DEEP = f"nested more than {DEPTH} levels deep; flatten it"
_NO_OBJECT = "not a JSON object; write one object to a line"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_decode_raw = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class MalformedLineError(ValueError):
    """A line that is no JSON object; the text says why."""


class JsonlRows:
    """Reads the objects of a file."""

    def __init__(self, validator: Validator, campaign: str | None) -> None:
        self._examiner = Examiner(validator, campaign)
        self._campaign = campaign
        self._columns: dict[str, None] = {}
        self._kinds = ObjectKinds(validator)

    def layout(self) -> Layout:
        """The keys seen so far, in the order they came up."""
        return Layout(format="jsonl", columns=tuple(self._columns))

    def block(self, lines: Sequence[str], number: int, first_line: int) -> Block | None:
        """See `by_the_block.Reader`."""
        if any("\\" in line and NUL_ESCAPE in line for line in lines):
            return None
        columns = self._kinds.columns(lines, self._columns)
        return accepted(columns, number, first_line, self._campaign) if columns else None

    def row(self, line: str, number: int, lines: Lines) -> Entry:
        """See `by_the_block.Reader`."""
        if number == 1 and line.strip() in {"[", "{"}:
            raise InputRefusedError(
                "this is one JSON document over many lines, not one object to a line",
                hint="convert it: jq -c '.[]' jobs.json > jobs.jsonl",
            )
        try:
            record = _record(line)
            own = {key: record[key] for key in record if not is_result_column(key)}
            cells = line.strip() if len(own) == len(record) else _own_cells(line, own)
        except MalformedLineError as error:
            return broken_row(number, lines.number, line, str(error))
        self._columns |= dict.fromkeys(own)
        return self._examined(number, lines.number, cells, own)

    def _examined(
        self, number: int, line_number: int, cells: str, own: Mapping[str, object]
    ) -> Entry:
        told = gather(own)
        damage = _nul_faults(own, told.labels) if NUL_ESCAPE in cells else []
        return self._examiner.entry(number, line_number, cells, told, damage)


def _record(line: str) -> dict[str, object]:
    if len(line) > LINE_LENGTH:
        raise MalformedLineError(f"longer than {LINE_LENGTH} characters; split or shorten it")
    try:
        record = _decode(line)
    except UnicodeEncodeError as error:
        raise MalformedLineError(NOT_DECODABLE) from error
    except RecursionError as error:
        raise MalformedLineError(_TOO_DEEP) from error
    except ValueError as error:
        raise MalformedLineError(_explained(str(error), line)) from error
    if not isinstance(record, dict):
        raise MalformedLineError(_NO_OBJECT)
    if line.count("[") + line.count("{") > DEPTH and _is_deep(record):
        raise MalformedLineError(_TOO_DEEP)
    return record


def _is_deep(record: object) -> bool:
    level = [record]
    for _ in range(DEPTH):
        level = [inner for outer in level for inner in _members(outer)]
    return bool(level)


def _members(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _own_cells(line: str, own: Iterable[str]) -> str:
    raw = _decode_raw(line)
    return _encode({key: raw[key] for key in own}).decode()


def _explained(reason: str, line: str) -> str:
    found = _BYTE.search(reason)
    if found is None:
        return "not valid JSON: it ends too early; write one whole object to a line"
    column = len(line.encode()[: int(found[1])].decode(errors="ignore")) + 1
    why = _BYTE.sub("", reason).removeprefix("JSON is malformed: ")
    return f"not valid JSON at column {column}: {why}; write one object to a line"


def _nul_faults(own: Mapping[str, object], labels: Mapping[str, str]) -> list[Fault]:
    columns = {key: column for column, key in labels.items()}
    return [
        Fault(column=columns.get(key, key), value=value, message=HOLDS_NUL)
        for key, value in own.items()
        if _NUL.search(_encode({key: value}).decode())
    ]
