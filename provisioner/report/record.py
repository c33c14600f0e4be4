"""What the result files say of a row beyond its own columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import msgspec

from provisioner.job import JobState
from provisioner.ports import RowResult
from provisioner.session import Session, SessionRequest

FILES: dict[JobState, str] = {
    JobState.CREATED: "created",
    JobState.FAILED: "failed",
    JobState.REJECTED: "rejected",
    JobState.DUPLICATE: "duplicates",
    JobState.NEEDS_REVIEW: "needs_review",
    JobState.AMBIGUOUS: "needs_review",
    JobState.IN_FLIGHT: "needs_review",
    JobState.PENDING: "pending",
}
"""The result file, without its extension, that a row in each state is written to."""

FILE_NAMES: tuple[str, ...] = tuple(dict.fromkeys(FILES.values()))

COLUMNS = (
    "_row",
    "_job_key",
    "_status",
    "_voice_connector_id",
    "_proxy_session_id",
    "_proxy_phone_number_1",
    "_proxy_phone_number_2",
    "_name",
    "_expiry_minutes",
    "_created_at",
    "_attempts",
    "_error_code",
    "_error_message",
    "_request_id",
)

OwnCells: TypeAlias = list[str] | str | dict[str, msgspec.Raw]
"""A CSV row's cells, a line that could not be read, or a JSONL row's members."""

_UNSETTLED = frozenset({JobState.AMBIGUOUS, JobState.IN_FLIGHT})
_decode_session = msgspec.json.Decoder(Session).decode
_decode_cells: Callable[[str], OwnCells] = msgspec.json.Decoder(OwnCells).decode


def own_cells(text: str) -> OwnCells:
    """A row's own cells from their JSON text."""
    try:
        return _decode_cells(text)
    except msgspec.DecodeError:
        return text


class _Provisioned(NamedTuple):
    voice_connector_id: str | None = None
    proxy_session_id: str | None = None
    proxy_phone_number_1: str | None = None
    proxy_phone_number_2: str | None = None
    name: str | None = None
    expiry_minutes: int | None = None
    created_at: str | None = None


_NOTHING = _Provisioned()


def record(row: RowResult) -> tuple[str | int | None, ...]:
    """The values of `COLUMNS` for a row; None where there is none."""
    status = JobState.NEEDS_REVIEW if row.state in _UNSETTLED else row.state
    return (
        row.number,
        row.key,
        status.value,
        *_provisioned(row.request, row.session_json),
        row.attempts,
        row.error_code,
        row.error_message,
        row.request_id,
    )


def _provisioned(request: SessionRequest | None, session_json: bytes | None) -> _Provisioned:
    if request is None:
        return _NOTHING
    if session_json is None:
        return _Provisioned(
            voice_connector_id=request.voice_connector_id,
            name=request.name,
            expiry_minutes=request.expiry_minutes,
        )
    session = _decode_session(session_json)
    first, second = request.participants
    return _Provisioned(
        session.voice_connector_id or request.voice_connector_id,
        session.proxy_session_id,
        session.proxy_number_of(first),
        session.proxy_number_of(second),
        session.name or request.name,
        session.expiry_minutes or request.expiry_minutes,
        session.created_at,
    )
