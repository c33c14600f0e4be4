"""Read-only views of a ledger, safe while a run is writing to it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from provisioner.job import JobState
from provisioner.ledger.connection import connect_to_read, unusable
from provisioner.ledger.lock import is_held
from provisioner.ledger.statements import SQL
from provisioner.record import CallCounts, CampaignRecord, Layout, LearnedRate, RowResult
from provisioner.session import SessionRequest

_REQUESTS = msgspec.json.Decoder(SessionRequest)
_CODES = {
    JobState.REJECTED: "InvalidRow",
    JobState.DUPLICATE: "Duplicate",
    JobState.WITHDRAWN: "Withdrawn",
}
_WITHDRAWN = "the row left the job file before it had a session, so it is not sent again"
_ROWS_AT_ONCE = 1_000


class SqliteReader:
    """The LedgerReader port over an open connection; rows in flight are told as `in_flight`."""

    def __init__(
        self, connection: sqlite3.Connection, in_flight: JobState = JobState.IN_FLIGHT
    ) -> None:
        self._connection = connection
        self._told = {state.value: state for state in JobState} | {JobState.IN_FLIGHT: in_flight}

    def campaigns(self) -> list[CampaignRecord]:
        """All of them, oldest first."""
        return [_campaign(row) for row in self._connection.execute(SQL["campaigns"])]

    def campaign(self, name: str) -> CampaignRecord | None:
        """One by name."""
        return next((each for each in self.campaigns() if each.name == name), None)

    def counts(self, campaign_id: int) -> dict[JobState, int]:
        """Rows by state; states without rows are absent."""
        found = self._connection.execute(SQL["counts"], {"campaign_id": campaign_id})
        counts: Counter[JobState] = Counter()
        for state, count in found:
            counts[self._told[state]] += count
        return dict(counts)

    def calls(self, campaign_id: int) -> CallCounts:
        """Attempts by what became of them."""
        attempts, throttled, retried, ambiguous, adopted = self._connection.execute(
            SQL["calls"], {"campaign_id": campaign_id}
        ).fetchone()
        return CallCounts(
            attempts=attempts,
            throttled=throttled,
            retried=retried,
            ambiguous=ambiguous,
            adopted=adopted,
        )

    def results(self, campaign_id: int) -> Iterator[RowResult]:
        """See the port."""
        found = self._connection.execute(SQL["results"], {"campaign_id": campaign_id})
        while rows := found.fetchmany(_ROWS_AT_ONCE):
            yield from map(self._row_result, rows)

    def rates(self) -> list[LearnedRate]:
        """What lanes were found to allow, the latest first."""
        found = self._connection.execute(SQL["rates"])
        return [
            LearnedRate(lane=lane, operation=operation, rate=rate, learned_at=learned_at)
            for lane, operation, rate, learned_at in found
        ]

    def last_run(self, campaign_id: int) -> bytes | None:
        """The summary, JSON, of the campaign's last finished run."""
        row = self._connection.execute(SQL["last_run"], {"campaign_id": campaign_id}).fetchone()
        return row[0].encode() if row else None

    def _row_result(self, row: tuple[Any, ...]) -> RowResult:
        (
            number,
            cells,
            key,
            state,
            request,
            session,
            attempts,
            code,
            message,
            request_id,
            problem,
        ) = row
        at = self._told[state]
        created = at is JobState.CREATED
        return RowResult(
            number=number,
            cells=cells,
            key=key,
            state=at,
            request=_REQUESTS.decode(request) if request else None,
            session_json=session.encode() if session else None,
            attempts=attempts,
            error_code=None if created else _CODES.get(at, code),
            error_message=None if created else problem or _message(at, message),
            request_id=request_id,
        )


@contextmanager
def open_reader(path: Path) -> Iterator[SqliteReader]:
    """Open an existing ledger for reading: one snapshot, however long a run goes on meanwhile.

    A row that a run has in flight is in flight; one that a dead run left so is ambiguous.

    Raises:
        ConfigurationError: there is none, or it is no ledger of this version.
        CannotWriteError: it is damaged.
    """
    connection = connect_to_read(path)
    try:
        yield SqliteReader(connection, _snapshot(connection, path))
    except sqlite3.Error as error:
        raise unusable(path, error) from error
    finally:
        connection.close()


def _snapshot(connection: sqlite3.Connection, path: Path) -> JobState:
    """Begin to read; what rows in flight are, seen from outside of the run."""
    connection.execute("BEGIN")
    (in_flight,) = connection.execute(SQL["any_in_flight"]).fetchone()
    if not in_flight or is_held(path):
        return JobState.IN_FLIGHT
    # Their run may have ended well since: only a snapshot begun after it tells.
    connection.execute("ROLLBACK")
    connection.execute("BEGIN")
    return JobState.AMBIGUOUS


def _campaign(row: tuple[int, str, str, str, str, str, str, float, int]) -> CampaignRecord:
    identity, name, input_name, input_sha256, defaults, layout, connectors, created_at, gone = row
    return CampaignRecord(
        id=identity,
        name=name,
        input_name=input_name,
        input_sha256=input_sha256,
        defaults=defaults,
        layout=msgspec.json.decode(layout, type=Layout),
        connectors=msgspec.json.decode(connectors, type=tuple[str, ...]),
        created_at=created_at,
        gone=gone,
    )


def _message(state: JobState, said: str | None) -> str | None:
    return _WITHDRAWN if state is JobState.WITHDRAWN else said
