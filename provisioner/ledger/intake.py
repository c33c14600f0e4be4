"""Recording a job file into a campaign: one transaction, whatever the file's size."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import Any, Self

import msgspec

from provisioner.entry import Block, Entry
from provisioner.job import JobState, Problem
from provisioner.ledger.checkpoint import put_off
from provisioner.ledger.clashes import Clash, Known, clash
from provisioner.ledger.connection import writing
from provisioner.ledger.reader import SqliteReader
from provisioner.ledger.statements import SQL
from provisioner.record import CampaignRecord, Holder, Layout, NewCampaign, Recorded
from provisioner.session import mask_numbers

_encode = msgspec.json.Encoder().encode
_ROWS_AT_ONCE = 2_048
_IDENTITY = "[0-9a-f]" * 32


class SqliteIntake:
    """The Intake port. Entering begins the transaction; leaving without `commit` undoes it."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path | str,
        campaign: NewCampaign,
        committed: Callable[[], None] | None = None,
    ) -> None:
        self._connection = connection
        self._committed = committed or _nothing
        self._path = path
        self._campaign = campaign
        self._connectors: set[str] = set()
        self._tally = dict.fromkeys(("new", "same", "rejected", "duplicates"), 0)
        self._corrected = 0

    def __enter__(self) -> Self:
        with writing(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            self._known = SqliteReader(self._connection).campaign(self._campaign.name)
            self._connectors.update(self._known.connectors if self._known else ())
            self._id, self._recording = self._connection.execute(
                SQL["renew_campaign" if self._known else "insert_campaign"],
                msgspec.structs.asdict(self._campaign) | {"created_at": time.time()},
            ).fetchone()
            self._execute("turned_away_rows_of_campaign")
            (self._last_before,) = self._execute("last_job").fetchone()
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def add(self, rows: Sequence[Entry] | Block) -> list[Problem]:
        """Record rows; return the problems that only the whole file shows."""
        with writing(self._path):
            jobs = rows if isinstance(rows, Block) else [row for row in rows if row.body]
            new = self._insert(jobs)
            self._tally["new"] += new
            if len(jobs) < len(rows):
                self._turn_away(row for row in rows if row.body is None)
            return self._resolve(list(jobs)) if new < len(jobs) else []

    def recorded(self) -> Recorded:
        """The tally so far."""
        return Recorded(gone=self._gone() + self._corrected, **self._tally)

    def to_send(self) -> int:
        """See the port."""
        if self._known is None:
            return self._tally["new"]
        (rows,) = self._execute("count_to_send").fetchone()
        return int(rows)

    def held_by_another(self) -> Holder | None:
        """See the port."""
        if self._known is None and (same := self._execute("unfinished_with_input").fetchone()):
            return Holder(campaign=same[0], rows=same[1])
        for other, name in self._execute("unfinished_others").fetchall():
            found = self._execute(
                "count_held", other=other, after=self._last_before, identity=_IDENTITY
            )
            if rows := found.fetchone()[0]:
                return Holder(campaign=name, rows=rows)
        return None

    def overlap(self) -> dict[JobState, int]:
        """The jobs that the campaign had before and that were added again, by state."""
        found = self._execute("overlap", before=self._last_before)
        return {JobState(state): count for state, count in found}

    def closings(self, **when: float | None) -> tuple[Any, ...]:
        """See Forecast: jobs to send, those of known expiry, their first and last close, early."""
        found: tuple[Any, ...] = self._execute("closings", **when).fetchone()
        return found

    def commit(self, layout: Layout) -> CampaignRecord:
        """Make it durable."""
        with writing(self._path):
            if self._known is not None:
                self._part_with_what_is_gone(layout, self._known.layout)
            self._execute(
                "finish_campaign",
                gone=self._gone(),
                layout=_encode(layout).decode(),
                connectors=json.dumps(sorted(self._connectors)),
            )
            with put_off(self._connection):
                self._connection.execute("COMMIT")
            self._committed()
        return next(
            each for each in SqliteReader(self._connection).campaigns() if each.id == self._id
        )

    def _gone(self) -> int:
        """The campaign's jobs that the file no longer has; a new campaign has none."""
        if self._known is None:
            return 0
        (gone,) = self._execute("count_gone").fetchone()
        return int(gone)

    def _part_with_what_is_gone(self, layout: Layout, before: Layout) -> None:
        """Forget what was never sent; keep the rest as it is told best without its file."""
        self._execute("forget_unsent")
        self._execute("withdraw_sent")
        if before.format == "csv" and before.columns != layout.columns:
            self._execute("name_cells", columns=_encode(before.columns).decode())

    def _insert(self, jobs: Sequence[Entry] | Block) -> int:
        """How many of the jobs are new; in few statements, each as long as a power of two."""
        self._connectors.update(_connectors(jobs))
        columns, rest, inserted = _columns(jobs), len(jobs), 0
        about = (self._last_before, self._id, self._recording)
        while rest:
            rows = min(_ROWS_AT_ONCE, 1 << rest.bit_length() - 1)
            these = chain.from_iterable(islice(columns, rows))
            inserted += self._connection.execute(_insertion(rows), (*about, *these)).rowcount
            rest -= rows
        return inserted

    def _turn_away(self, rows: Iterable[Entry]) -> None:
        for row in rows:
            self._tally["rejected"] += 1
            self._keep(row, JobState.REJECTED, _texts(row.problems))

    def _keep(self, row: Entry, state: JobState, why: str) -> None:
        """Keep a row that is no job, and why it is none."""
        about = (self._last_before + row.number, self._id, row.number, row.key, state)
        columns = (*about, self._recording, why, row.cells)
        self._connection.execute(SQL["insert_turned_away"], columns)

    def _resolve(self, rows: Sequence[Entry]) -> list[Problem]:
        """What becomes of those rows of a batch whose identity was taken; their problems."""
        known = self._jobs_with_keys([row.key for row in rows if row.key is not None])
        problems: list[Problem] = []
        for row in rows:
            if row.body is None or row.key is None:
                continue
            earlier = known[row.key]
            if (earlier.recording, earlier.number) == (self._recording, row.number):
                continue
            kind = clash(row.body, earlier, self._recording)
            if kind is Clash.REUSED:
                problems.append(self._reused(row, earlier))
            self._settle(kind, row, earlier)
            if kind in {Clash.SEEN_AGAIN, Clash.CORRECTED}:
                known[row.key] = msgspec.structs.replace(
                    earlier, recording=self._recording, number=row.number, request=row.body
                )
        return problems

    def _settle(self, kind: Clash, row: Entry, earlier: Known) -> None:
        match kind:
            case Clash.SEEN_AGAIN:
                self._tally["same"] += 1
                self._again(row, earlier)
            case Clash.CORRECTED:
                self._tally["new"] += 1
                self._corrected += 1
                self._connection.execute(SQL["forget_job"], (earlier.id,))
                self._insert([row])
            case Clash.DUPLICATE:
                self._tally["duplicates"] += 1
                why = f"the same job as row {earlier.number}, which counts"
                self._keep(row, JobState.DUPLICATE, why)
            case Clash.REUSED:
                self._tally["rejected"] += 1
                self._keep(row, JobState.REJECTED, self._reused(row, earlier).message)

    def _again(self, row: Entry, earlier: Known) -> None:
        self._connection.execute(
            SQL["seen_again"], (row.number, self._recording, row.cells, earlier.id)
        )

    def _execute(self, statement: str, **parameters: object) -> sqlite3.Cursor:
        about = {"campaign_id": self._id, "recording": self._recording}
        return self._connection.execute(SQL[statement], about | parameters)

    def _jobs_with_keys(self, keys: Sequence[str]) -> dict[str, Known]:
        found = self._execute("jobs_with_keys", keys=_encode(keys).decode())
        return {row[0]: _known(*row[1:]) for row in found}

    def _reused(self, row: Entry, earlier: Known) -> Problem:
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


def _nothing() -> None:
    pass


def _known(*columns: Any) -> Known:  # noqa: ANN401  # SQLite's columns
    job_id, number, recording, request, attempts, state = columns
    return Known(job_id, number, recording, request, attempts, JobState(state))


def _connectors(jobs: Sequence[Entry] | Block) -> Iterable[str]:
    if isinstance(jobs, Block):
        return jobs.connectors
    return filter(None, (job.connector for job in jobs))


def _columns(jobs: Sequence[Entry] | Block) -> Iterator[tuple[object, ...]]:
    if isinstance(jobs, Block):
        return zip(jobs.numbers, jobs.keys, jobs.bodies, jobs.fingerprints, jobs.cells, strict=True)
    return ((job.number, job.key, job.body, job.fingerprint, job.cells) for job in jobs)


@cache
def _insertion(rows: int) -> str:
    return SQL["insert_jobs"].replace("{rows}", ",".join(["(?, ?, ?, ?, ?)"] * rows))


def _texts(problems: Sequence[Problem]) -> str:
    return "; ".join(
        f"{problem.column}: {problem.message}" if problem.column else problem.message
        for problem in problems
    )
