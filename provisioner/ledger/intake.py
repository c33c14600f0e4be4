"""Recording a job file into a campaign: one transaction, whatever the file's size."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import msgspec

from provisioner.job import JobState, Problem, Row
from provisioner.ledger.connection import writing
from provisioner.ledger.fingerprint import fingerprint
from provisioner.ledger.reader import SqliteReader
from provisioner.ledger.statements import SQL
from provisioner.record import CampaignRecord, Layout, NewCampaign, Recorded
from provisioner.session import SessionRequest, mask_numbers

_ENCODER = msgspec.json.Encoder()


class _Known(msgspec.Struct, frozen=True):
    """A job of the campaign: `id` None when it was seen in the batch at hand."""

    id: int | None
    number: int
    recording: int
    request: str


class SqliteIntake:
    """The Intake port. Entering begins the transaction; leaving without `commit` undoes it."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path | str, campaign: NewCampaign
    ) -> None:
        self._connection = connection
        self._path = path
        self._campaign = campaign
        self._connectors: set[str] = set()
        self._tally = dict.fromkeys(("new", "same", "rejected", "duplicates"), 0)

    def __enter__(self) -> Self:
        with writing(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            known = SqliteReader(self._connection).campaign(self._campaign.name)
            self._connectors.update(known.connectors if known else ())
            self._id, self._recording = self._connection.execute(
                SQL["renew_campaign" if known else "insert_campaign"],
                msgspec.structs.asdict(self._campaign) | {"created_at": time.time()},
            ).fetchone()
            self._connection.execute(SQL["turned_away_rows_of_campaign"], {"campaign_id": self._id})
            (self._last_before,) = self._connection.execute(SQL["last_job"]).fetchone()
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def add(self, rows: Sequence[Row]) -> list[Problem]:
        """Record rows; return the problems that only the whole file shows."""
        known = self._known([row.key for row in rows if row.key is not None])
        inserts: list[tuple[object, ...]] = []
        seen_again: list[tuple[object, ...]] = []
        problems: list[Problem] = []
        for row in rows:
            if row.request is None or row.key is None:
                inserts.append(self._turned_away(row, JobState.REJECTED, _texts(row.problems)))
                continue
            request = _ENCODER.encode(row.request).decode()
            earlier = known.get(row.key)
            if earlier is not None and earlier.request != request:
                problems.append(self._reused(row, earlier))
                inserts.append(self._turned_away(row, JobState.REJECTED, problems[-1].message))
                continue
            if earlier is None:
                inserts.append(self._accepted(row, row.request, request))
            elif earlier.recording == self._recording:
                why = f"the same job as row {earlier.number}, which counts"
                inserts.append(self._turned_away(row, JobState.DUPLICATE, why))
                continue
            else:
                seen_again.append((row.number, self._recording, row.cells, earlier.id))
                self._tally["same"] += 1
            known[row.key] = _Known(None, row.number, self._recording, request)
        with writing(self._path):
            self._connection.executemany(SQL["insert_row"], inserts)
            self._connection.executemany(SQL["seen_again"], seen_again)
        return problems

    def recorded(self) -> Recorded:
        """The tally so far."""
        gone = self._connection.execute(
            SQL["count_gone"], {"campaign_id": self._id, "recording": self._recording}
        ).fetchone()[0]
        return Recorded(gone=gone, **self._tally)

    def to_send(self) -> int:
        """See the port."""
        (rows,) = self._connection.execute(
            SQL["count_to_send"], {"campaign_id": self._id, "recording": self._recording}
        ).fetchone()
        return int(rows)

    def held_by_another(self) -> str | None:
        """See the port."""
        if not self._tally["new"]:
            return None
        found = self._connection.execute(
            SQL["held_by_another"],
            {
                "campaign_id": self._id,
                "after": self._last_before,
                "new": self._tally["new"],
            },
        ).fetchone()
        return found[0] if found else None

    def commit(self, layout: Layout) -> CampaignRecord:
        """Make it durable."""
        gone = {"campaign_id": self._id, "recording": self._recording}
        with writing(self._path):
            self._connection.execute(SQL["withdraw_attempts"], gone)
            self._connection.execute(SQL["withdraw_jobs"], gone)
            self._connection.execute(
                SQL["finish_campaign"],
                {
                    "id": self._id,
                    "layout": _ENCODER.encode(layout).decode(),
                    "connectors": json.dumps(sorted(self._connectors)),
                },
            )
            self._connection.execute("COMMIT")
        return next(
            each for each in SqliteReader(self._connection).campaigns() if each.id == self._id
        )

    def _known(self, keys: Sequence[str]) -> dict[str, _Known]:
        with writing(self._path):
            found = self._connection.execute(
                SQL["jobs_with_keys"],
                {"campaign_id": self._id, "keys": _ENCODER.encode(keys).decode()},
            )
            return {key: _Known(*rest) for key, *rest in found}

    def _accepted(self, row: Row, request: SessionRequest, text: str) -> tuple[object, ...]:
        self._tally["new"] += 1
        self._connectors.add(request.voice_connector_id)
        mark = fingerprint(request.name, request.participants)
        about = (self._id, row.number, row.key, JobState.PENDING, self._recording)
        return (*about, None, text, mark, row.cells)

    def _turned_away(self, row: Row, state: JobState, why: str) -> tuple[object, ...]:
        self._tally["rejected" if state is JobState.REJECTED else "duplicates"] += 1
        about = (self._id, row.number, row.key, state, self._recording)
        return (*about, why, None, None, row.cells)

    def _reused(self, row: Row, earlier: _Known) -> Problem:
        where = (
            f"on row {earlier.number}"
            if earlier.recording == self._recording
            else "when this campaign was recorded earlier"
        )
        return Problem(
            line=row.line,
            column="job_id",
            value=mask_numbers(row.key or ""),
            message=f"this job_id was used {where} for another request; "
            "give every job a job_id of its own",
        )


def _texts(problems: Sequence[Problem]) -> str:
    return "; ".join(
        f"{problem.column}: {problem.message}" if problem.column else problem.message
        for problem in problems
    )
