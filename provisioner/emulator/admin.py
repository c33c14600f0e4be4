"""What is not the service: counts to look at, every session ever made, faults to change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from itertools import islice

import msgspec

from provisioner.emulator.emulator import Emulator
from provisioner.emulator.faults import parse_faults
from provisioner.emulator.protocol import HttpRequest, HttpResponse
from provisioner.emulator.record import Record, timestamp
from provisioner.emulator.settings import Quota
from provisioner.errors import ConfigurationError

PREFIX = b"/_emulator/"

_JSON = b"Content-Type: application/json\r\n"
_JSON_LINES = b"Content-Type: application/jsonl\r\n"
_LINES_EACH = 500


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the start. `peaks` are the most requests in any second, by operation."""

    sessions: dict[str, int]
    requests: int
    operations: dict[str, int]
    statuses: dict[int, int]
    faults: dict[str, int]
    peaks: dict[str, int]


class SessionLine(msgspec.Struct, frozen=True, kw_only=True):
    """One session; `status` is `Deleted` for one that only this page still knows."""

    id: str
    name: str | None
    participants: tuple[str, str]
    connector: str
    created: str
    status: str


def answer(emulator: Emulator, request: HttpRequest, now: float) -> HttpResponse:
    """The response to a request under `/_emulator/`."""
    emulator.service.advance(now)
    match request.method, request.target.removeprefix(PREFIX):
        case b"GET", b"state":
            return _json(HTTPStatus.OK, state_of(emulator))
        case b"GET", b"sessions":
            lines = _lines(emulator.service.records())
            return HttpResponse(status=HTTPStatus.OK, headers=_JSON_LINES, body=lines)
        case b"POST", b"faults":
            return _change_faults(emulator, request.body)
        case b"POST", b"quota":
            return _change_quota(emulator, request.body)
    return _json(HTTPStatus.NOT_FOUND, {"Message": "GET state, sessions; POST faults, quota"})


def state_of(emulator: Emulator) -> State:
    """The emulator's counts as one value."""
    tally = emulator.tally
    return State(
        sessions=Counter(_status(record) for record in emulator.service.records()),
        requests=tally.requests,
        operations=tally.operations,
        statuses=tally.statuses,
        faults={str(kind): count for kind, count in tally.faults.items()},
        peaks={operation: rate.peak for operation, rate in tally.peaks.items()},
    )


def _change_faults(emulator: Emulator, body: bytes) -> HttpResponse:
    try:
        plan = parse_faults(body.decode("utf-8", "replace"))
    except ConfigurationError as error:
        return _json(HTTPStatus.BAD_REQUEST, {"Message": f"{error}. {error.hint}"})
    emulator.change_faults(plan)
    return _json(HTTPStatus.OK, plan)


def _change_quota(emulator: Emulator, body: bytes) -> HttpResponse:
    try:
        quota = msgspec.json.decode(body, type=Quota | None)
    except (msgspec.DecodeError, UnicodeDecodeError, ConfigurationError) as error:
        return _json(HTTPStatus.BAD_REQUEST, {"Message": str(error)})
    emulator.service.change_quota(quota)
    return _json(HTTPStatus.OK, quota)


def _json(status: HTTPStatus, body: object) -> HttpResponse:
    return HttpResponse(status=status, headers=_JSON, body=msgspec.json.encode(body))


def _lines(records: Iterator[Record]) -> Iterator[bytes]:
    encode = msgspec.json.Encoder().encode_lines
    while batch := [_line(record) for record in islice(records, _LINES_EACH)]:
        yield encode(batch)


def _line(record: Record) -> SessionLine:
    return SessionLine(
        id=record.id,
        name=record.request.name,
        participants=record.request.participant_phone_numbers,
        connector=record.request.voice_connector_id,
        created=timestamp(record.created_at),
        status=_status(record),
    )


def _status(record: Record) -> str:
    return "Deleted" if record.deleted else record.status
