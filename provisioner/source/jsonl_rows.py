"""Rows of a JSONL file: one object to a line, in our spelling or the API's."""

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from provisioner.entry import Entry
from provisioner.errors import InputRefusedError
from provisioner.record import Layout
from provisioner.source.columns import PARTICIPANTS
from provisioner.source.jsonl_fields import gather
from provisioner.source.jsonl_shape import Shape, shape_of
from provisioner.source.lines import LINE_LENGTH, Lines
from provisioner.source.problems import (
    HOLDS_NUL,
    NOT_DECODABLE,
    NUL_ESCAPE,
    broken_row,
    problems_at,
)
from provisioner.source.validation import Accepted, Fault, Validator

DEPTH = 64
"""Levels of nesting; what is deeper could not be read again further down a call stack."""

_SHAPES_MAXIMUM = 1024
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_BYTE = re.compile(r" \(byte (\d+)\)")
_SEQUENCE = (list, tuple)
_TOO_DEEP = f"nested more than {DEPTH} levels deep; flatten it"
_NO_OBJECT = "not a JSON object; write one object to a line"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_decode_raw = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class MalformedLineError(ValueError):
    """A line that is no JSON object; the text says why."""


class JsonlRows:
    """Iterates over the objects of a file."""

    def __init__(self, validator: Validator, campaign: str | None) -> None:
        self._validator = validator
        self._campaign = campaign
        self._shapes: dict[tuple[str, ...], Shape] = {}
        self._columns: dict[str, None] = {}

    def layout(self) -> Layout:
        """The keys seen so far, in the order they came up."""
        return Layout(format="jsonl", columns=tuple(self._columns))

    def read(self, lines: Lines) -> Iterator[Entry]:
        """The rows from where `lines` stand."""
        number = 0
        for line in lines:
            if line.isspace():
                continue
            if not number and line.strip() in {"[", "{"}:
                raise InputRefusedError(
                    "this is one JSON document over many lines, not one object to a line",
                    hint="convert it: jq -c '.[]' jobs.json > jobs.jsonl",
                )
            number += 1
            yield self._row(number, lines.number, line)

    def _row(self, number: int, line_number: int, line: str) -> Entry:
        try:
            record = _record(line)
            shape = self._shapes.get(tuple(record)) or self._new_shape(record)
            cells = _own_cells(line, shape)
        except MalformedLineError as error:
            return broken_row(number, line_number, line, str(error))
        accepted = None if NUL_ESCAPE in cells else self._recognised(record, shape)
        if accepted is None:
            return self._examined(number, line_number, cells, record)
        return accepted.entry(number, line_number, cells, self._campaign)

    def _recognised(self, record: dict[str, object], shape: Shape) -> Accepted | None:
        if shape.pair is None:
            return None
        pair = shape.pair(record)
        name, job_id = record.get(shape.name, ""), record.get(shape.job_id, "")
        if not (
            isinstance(pair, _SEQUENCE)
            and len(pair) == len(PARTICIPANTS)
            and isinstance(pair[0], str)
            and isinstance(pair[1], str)
            and isinstance(name, str)
            and isinstance(job_id, str)
        ):
            return None
        return self._validator.recognise(_terms(record, shape), pair, name, job_id)

    def _examined(
        self, number: int, line_number: int, cells: str, record: dict[str, object]
    ) -> Entry:
        shape = self._shapes[tuple(record)]
        gathered = gather({key: record[key] for key in shape.own})
        verdict = self._validator.examine(gathered.fields)
        faults = _nul_faults(record, shape, gathered.labels) if NUL_ESCAPE in cells else []
        faults += gathered.faults
        if isinstance(verdict, Accepted) and not faults:
            if shape.pair is not None:
                self._validator.remember(_terms(record, shape), verdict.terms)
            return verdict.entry(number, line_number, cells, self._campaign)
        settled = gathered.settled | {fault.column for fault in faults}
        if not isinstance(verdict, Accepted):
            faults += [fault for fault in verdict if fault.column not in settled]
        problems = problems_at(line_number, faults, gathered.labels)
        return Entry(number=number, line=line_number, cells=cells, problems=problems)

    def _new_shape(self, record: dict[str, object]) -> Shape:
        if len(self._shapes) >= _SHAPES_MAXIMUM:
            self._shapes.clear()
        shape = self._shapes[tuple(record)] = shape_of(record)
        self._columns |= dict.fromkeys(shape.own)
        return shape


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


def _own_cells(line: str, shape: Shape) -> str:
    if shape.whole:
        return line.strip()
    raw = _decode_raw(line)
    return _encode({key: raw[key] for key in shape.own}).decode()


def _terms(record: Mapping[str, object], shape: Shape) -> bytes:
    # Encoded, `true`, `1` and `1.0` differ, and a list can be looked up.
    return shape.tag + _encode(shape.terms(record))


def _explained(reason: str, line: str) -> str:
    found = _BYTE.search(reason)
    if found is None:
        return "not valid JSON: it ends too early; write one whole object to a line"
    column = len(line.encode()[: int(found[1])].decode(errors="ignore")) + 1
    why = _BYTE.sub("", reason).removeprefix("JSON is malformed: ")
    return f"not valid JSON at column {column}: {why}; write one object to a line"


def _nul_faults(
    record: Mapping[str, object], shape: Shape, labels: Mapping[str, str]
) -> list[Fault]:
    own = {key: column for column, key in labels.items()}
    return [
        Fault(column=own.get(key, key), value=record[key], message=HOLDS_NUL)
        for key in shape.own
        if _NUL.search(_encode({key: record[key]}).decode())
    ]
