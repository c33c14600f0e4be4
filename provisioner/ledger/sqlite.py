"""The ledger's synchronous core: decide and write. Its shells decide when."""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from provisioner.errors import CannotWriteError
from provisioner.job import Attempt, Job, JobState, Outcome, attempt_state_after
from provisioner.ledger import connection as connections
from provisioner.ledger.checkpoint import Checkpoint, is_worth_it
from provisioner.ledger.intake import SqliteIntake
from provisioner.ledger.lock import LedgerLock
from provisioner.ledger.reader import SqliteReader
from provisioner.ledger.statements import MOST_ROWS, SQL, for_rows
from provisioner.record import CampaignRecord, LearnedRate, NewCampaign
from provisioner.session import Session, SessionRequest

T = TypeVar("T")

_REQUESTS = msgspec.json.Decoder(SessionRequest)
_ENCODER = msgspec.json.Encoder()


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt, what came of it, and where that takes its job."""

    attempt: Attempt
    outcome: Outcome
    state: JobState


class SqliteLedger:
    """A ledger file held by this process; a context manager. Not for several threads at once.

    Entering takes the lock and marks what a dead process left in flight as ambiguous.

    Raises:
        LedgerLockedError: another process holds the file.
        CannotWriteError: on entering, or from any method that writes.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._path = path.resolve()
        self._now = now
        self._lock = LedgerLock(self._path)
        self.campaign_id = 0
        self._claimed_up_to = 0
        self._again: list[int] = []
        self._next_attempt = 1
        self._checkpoint: Checkpoint | None = None

    def __enter__(self) -> Self:
        self._lock.__enter__()
        try:
            self._connection = connections.connect_to_write(self._path)
            self._file = connections.identity(self._path)
            self._recover()
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if self._checkpoint is not None:
            self._checkpoint.wait()
        self._connection.close()
        self._lock.__exit__(None, None, None)
        if isinstance(error, sqlite3.Error):
            raise connections.unusable(self._path, error) from error

    def _move_log(self) -> None:
        if self._checkpoint is None and is_worth_it(self._path):
            self._checkpoint = Checkpoint(self._path)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What happens inside is durable when it ends, or did not happen."""
        with connections.writing(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._refuse_if_gone()
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _refuse_if_gone(self) -> None:
        """What is written to a file that has lost its name is lost with this process."""
        if connections.identity(self._path) != self._file:
            raise OSError(errno.ENOENT, "the file was removed or replaced while in use")

    def pending_connectors(self, campaign: CampaignRecord) -> Sequence[str]:
        """The voice connectors that a campaign's pending jobs need."""
        if len(campaign.connectors) == 1:
            return campaign.connectors
        found = self._connection.execute(
            SQL["pending_connectors"], {"campaign_id": campaign.id}
        ).fetchall()
        return [connector for (connector,) in found]

    def campaign(self, name: str) -> CampaignRecord | None:
        """See Registry."""
        return self.reader().campaign(name)

    def begin_intake(self, campaign: NewCampaign) -> SqliteIntake:
        """See Registry."""
        return SqliteIntake(self._connection, self._path, campaign, self._move_log)

    def failed(self, campaign_id: int, code: str) -> int:
        """See Registry."""
        (jobs,) = self._connection.execute(
            SQL["count_failed"], {"campaign_id": campaign_id, "code": code}
        ).fetchone()
        return int(jobs)

    def requeue_failed(self, campaign_id: int, code: str) -> int:
        """See Registry."""
        with self.transaction():
            return self._connection.execute(
                SQL["requeue_failed"], {"campaign_id": campaign_id, "code": code}
            ).rowcount

    def reader(self) -> SqliteReader:
        """Views over this connection, for when nothing is being written."""
        return SqliteReader(self._connection)

    def record_run(self, campaign_id: int, summary: bytes) -> None:
        """Keep a run's summary, JSON, so that `results` can write it again."""
        with self.transaction():
            self._connection.execute(
                SQL["insert_run"],
                {"campaign_id": campaign_id, "ended_at": self._now(), "summary": summary.decode()},
            )

    def record_rate(self, learned: LearnedRate) -> None:
        """Keep what a lane was found to allow, instead of what was known of it."""
        with self.transaction():
            self._connection.execute(SQL["record_rate"], msgspec.structs.asdict(learned))

    def select(self, campaign_id: int) -> None:
        """The campaign that `claim` and `counts` speak of; claims begin anew."""
        self.campaign_id = campaign_id
        self._claimed_up_to = 0
        self._again.clear()

    def claim(self, limit: int) -> list[Job]:
        """The next pending jobs, in file order, released ones first. Needs no transaction."""
        with connections.writing(self._path):
            if self._again:
                ids, self._again = self._again[:limit], self._again[limit:]
                found = self.execute("claim_again", {"ids": _ENCODER.encode(ids).decode()})
            else:
                found = self.execute("claim", {"after": self._claimed_up_to, "limit": limit})
            jobs = found.fetchall()
        if jobs:
            self._claimed_up_to = max(self._claimed_up_to, jobs[-1][0])
        return [
            Job(id=job_id, key=key, request=_REQUESTS.decode(request), attempts=attempts)
            for job_id, key, request, attempts in jobs
        ]

    def release(self, job_id: int) -> None:
        """Let `claim` hand out a job again that is back at pending."""
        if job_id <= self._claimed_up_to:
            self._again.append(job_id)

    def counts(self) -> dict[JobState, int]:
        """Rows by state."""
        with connections.writing(self._path):
            return self.reader().counts(self.campaign_id)

    def open_attempts(self, jobs: Sequence[Job]) -> list[Attempt]:
        """Record intents. To be called inside a transaction.

        Raises:
            CannotWriteError: a job is not pending, or has an attempt that is not surely without
                a session; nothing of the transaction happens.
        """
        now = self._now()
        first = self._next_attempt
        attempts = [
            Attempt(id=first + i, job_id=job.id, number=job.attempts + 1, opened_at=now)
            for i, job in enumerate(jobs)
        ]
        self._next_attempt += len(attempts)
        self._write_all("open_attempt", [(a.id, a.job_id, a.number, now) for a in attempts])
        self._write_all("job_in_flight", [(a.id, a.job_id, a.number) for a in attempts])
        return attempts

    def close_attempts(self, closings: Sequence[Closing]) -> None:
        """Record outcomes. To be called inside a transaction; raises as `open_attempts` does."""
        now = self._now()
        self._write_all("close_attempt", [_attempt_columns(each, now) for each in closings])
        rows = [(each.attempt.job_id, str(each.state)) for each in closings]
        self._write_all("job_after_attempt", rows)

    def perform(self, deed: Callable[[Self], T]) -> T:
        """Do something with the ledger that is no method of it; it raises as they do."""
        with connections.writing(self._path):
            return deed(self)

    def adopt_sessions(self, adopted: Sequence[tuple[Job, Session]]) -> None:
        """Record sessions of jobs that this ledger never sent. To be called inside a transaction.

        An attempt of number 0 has them: no request was on the wire.
        """
        now = self._now()
        first = self._next_attempt
        self._next_attempt += len(adopted)
        self.write_each(
            "insert_adopted",
            [
                (first + i, job.id, now, now, session.proxy_session_id, _text(session))
                for i, (job, session) in enumerate(adopted)
            ],
        )
        self.write_each("adopt_job", [(first + i, job.id) for i, (job, _) in enumerate(adopted)])

    def prepare(self, script: str) -> None:
        """Run a script of statements; it may touch the temporary database only."""
        with connections.writing(self._path):
            self._connection.executescript(script)

    def execute(self, statement: str, parameters: Mapping[str, object]) -> sqlite3.Cursor:
        """Run a named statement; `:campaign_id` is known to it."""
        return self._connection.execute(
            SQL[statement], {"campaign_id": self.campaign_id, **parameters}
        )

    def write_each(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Run a statement per row: each must change exactly one, or the state machine was left."""
        self._must_be(len(rows), self.execute_each(statement, rows), statement)

    def _write_all(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """As `write_each`, by statements that take many rows at once.

        sqlite3 hands the interpreter over before each statement and asks for it back after it:
        once a row, that keeps the event loop waiting.
        """
        for begin in range(0, len(rows), MOST_ROWS):
            some = rows[begin : begin + MOST_ROWS]
            sql = for_rows(statement, len(some), len(some[0]))
            changed = self._connection.execute(sql, [*chain.from_iterable(some)]).rowcount
            self._must_be(len(some), changed, statement)

    def _must_be(self, wanted: int, changed: int, statement: str) -> None:
        if changed != wanted:
            raise CannotWriteError(
                f"{statement}: {changed} of {wanted} changes apply to the ledger {self._path}",
                hint=connections.MEDDLED,
            )

    def execute_each(self, statement: str, rows: Sequence[tuple[object, ...]]) -> int:
        """Run a named statement per row; how many rows it changed."""
        return self._connection.executemany(SQL[statement], rows).rowcount if rows else 0

    def _recover(self) -> None:
        with self.transaction():
            self._connection.execute(SQL["lost_attempts"])
            self._connection.execute(SQL["lost_jobs"])
            self._next_attempt = self._connection.execute(SQL["next_attempt"]).fetchone()[0]


def _attempt_columns(closing: Closing, now: float) -> tuple[object, ...]:
    outcome = closing.outcome
    session = outcome.session
    return (
        closing.attempt.id,
        now,
        str(attempt_state_after(outcome.verdict)),
        outcome.answered,
        str(outcome.verdict),
        outcome.throttled,
        outcome.status,
        outcome.error_code,
        outcome.message,
        outcome.request_id,
        session.proxy_session_id if session is not None else None,
        _text(session) if session is not None else None,
    )


def _text(session: Session) -> str:
    return _ENCODER.encode(session).decode()
