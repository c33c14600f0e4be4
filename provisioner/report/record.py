"""What the result files say of a row beyond its own columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from provisioner.job import JobState
from provisioner.record import RowResult
from provisioner.session import Session, SessionRequest

FILES: dict[JobState, str] = {
    JobState.CREATED: "created",
    JobState.FAILED: "failed",
    JobState.WITHDRAWN: "failed",
    JobState.REJECTED: "rejected",
    JobState.DUPLICATE: "duplicates",
    JobState.NEEDS_REVIEW: "needs_review",
    JobState.AMBIGUOUS: "needs_review",
    JobState.IN_FLIGHT: "pending",
    JobState.PENDING: "pending",
}
"""The result file, without its extension, that a row in each state is written to."""

FILE_NAMES: tuple[str, ...] = tuple(dict.fromkeys(FILES.values()))

OwnCells: TypeAlias = list[str] | str | dict[str, msgspec.Raw]
"""A CSV row's cells, a line that could not be read, or a JSONL row's members."""

_NOTHING = (None,) * 7
_STATUSES = {state: state.value for state in JobState} | {JobState.AMBIGUOUS: "needs_review"}
_decode_session = msgspec.json.Decoder(Session).decode
_decode_cells: Callable[[str], OwnCells] = msgspec.json.Decoder(OwnCells).decode


def own_cells(text: str) -> OwnCells:
    """A row's own cells from their JSON text."""
    try:
        return _decode_cells(text)
    except msgspec.DecodeError:
        return text


def record(row: RowResult) -> tuple[str | int | None, ...]:
    """The values of `RESULT_COLUMNS` for a row; None where there is none."""
    return (
        row.number,
        row.key,
        _STATUSES[row.state],
        *_provisioned(row.request, row.session_json),
        row.attempts,
        row.error_code,
        row.error_message,
        row.request_id,
    )


def _provisioned(
    request: SessionRequest | None, session_json: bytes | None
) -> tuple[str | int | None, ...]:
    """From the connector's id to the time of creation; the request fills in for the session."""
    if request is None:
        return _NOTHING
    connector_id, name, minutes = request.voice_connector_id, request.name, request.expiry_minutes
    if session_json is None:
        return (connector_id, None, None, None, name, minutes, None)
    session = _decode_session(session_json)
    first, second = request.participants
    return (
        session.voice_connector_id or connector_id,
        session.proxy_session_id,
        session.proxy_number_of(first),
        session.proxy_number_of(second),
        session.name or name,
        session.expiry_minutes or minutes,
        session.created_at,
    )
