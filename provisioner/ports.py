"""The seams on one page. Each docstring is the contract an implementation keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, Self

from provisioner.entry import Block, Entry
from provisioner.job import Attempt, Job, JobState, Outcome, Problem
from provisioner.record import (
    CallCounts,
    CampaignRecord,
    Holder,
    Layout,
    LearnedRate,
    NewCampaign,
    Recorded,
    RowResult,
)
from provisioner.rulings import Decision, Question, Stray, Unsent
from provisioner.session import ConnectorProxy, Session, SessionPage, SessionRequest


class Clock(Protocol):
    """Time for shells; policies take `now` as an argument."""

    def time(self) -> float:
        """Wall clock, epoch seconds."""

    def monotonic(self) -> float:
        """Seconds that never step back."""

    async def sleep(self, seconds: float) -> None:
        """Return after at least `seconds`; cancellable."""


class Source(Protocol):
    """A job file, readable once from start to end, in memory that does not grow with it.

    Raises:
        InputMissingError: at construction, when it cannot be opened.
        InputRefusedError: from `entries`, for what makes the whole file unusable (no header).
    """

    name: str
    """The file's name without its folder; `-` for standard input."""
    sha256: str
    """Of the file's bytes, hexadecimal; known before the first row is read."""

    def entries(self, campaign: str) -> Iterator[Sequence[Entry] | Block]:
        """Every row in file order, by the thousand; invalid ones with their problems.

        A row without a Name gets one that finds its session again: of its campaign and its key.
        """

    def layout(self) -> Layout:
        """Valid once `entries` is exhausted."""


class Intake(Protocol):
    """One transaction that records a job file into a campaign; a context manager.

    Leaving without `commit` leaves the ledger as it was.
    """

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(self, *_: object) -> None:
        """Undo what was not committed."""

    def add(self, rows: Sequence[Entry] | Block) -> Sequence[Problem]:
        """Record rows; return the problems that only the whole file shows (a reused `job_id`).

        A row whose identity the file has had before is recorded as a duplicate. A job of an
        earlier version of the file that was never sent gives way to a row of its `job_id`.
        """

    def recorded(self) -> Recorded:
        """The tally of what was added so far."""

    def to_send(self) -> int:
        """The campaign's rows that a commit now would leave pending."""

    def held_by_another(self) -> Holder | None:
        """The first unfinished campaign, if any, that has yet to finish a job which is new here.

        For a new campaign, one recorded from the same bytes counts, whatever its defaults.
        """

    def commit(self, layout: Layout) -> CampaignRecord:
        """Make it durable.

        Pending jobs that the file no longer has are withdrawn, or forgotten if never sent.

        Raises:
            CannotWriteError: the disk is full or the file not writable; nothing was recorded.
        """


class Registry(Protocol):
    """The ledger before the first call: which campaigns there are, and recording new ones."""

    def campaign(self, name: str) -> CampaignRecord | None:
        """One by name."""

    def begin_intake(self, campaign: NewCampaign) -> Intake:
        """Record `campaign` from a job file, as new or, when its name is known, extended."""

    def failed(self, campaign_id: int, code: str) -> int:
        """How many jobs `requeue_failed` would make pending."""

    def requeue_failed(self, campaign_id: int, code: str) -> int:
        """Make failed jobs pending again, those with this error code or, for `*`, all; how many."""


class Ledger(Protocol):
    """The durable record, as the engine uses it. One process writes to it.

    What a method returns is durable when it returns. All raise CannotWriteError.
    """

    async def claim(self, limit: int) -> Sequence[Job]:
        """Up to `limit` pending jobs of the campaign that were not handed out yet.

        In the order in which they were recorded: the file's, unless it was extended.

        A claim lives in this process only: after a crash the job is simply pending.
        """

    async def open_attempt(self, job: Job) -> Attempt:
        """Record the intent to send; the job is in flight. At most one attempt of a job is open."""

    async def close_attempt(self, attempt: Attempt, outcome: Outcome, state: JobState) -> None:
        """Record the outcome and where it takes the job. A job back at pending stays claimed."""

    async def counts(self) -> dict[JobState, int]:
        """The campaign's rows by state; states without rows are absent."""


class Settlement(Protocol):
    """The ledger's side of settling what is ambiguous, for one campaign.

    A listing, of some connectors, is `begin_listing`, for each of them `look_for_doubts` and `note`
    for every page, then `end_listing`; what it found stays until the next begins, outside of
    memory. All raise CannotWriteError.
    """

    async def questions(self, after: int, limit: int) -> Sequence[Question]:
        """Up to `limit` ambiguous jobs with an id above `after`, by id."""

    async def begin_listing(self, *, everything: bool) -> None:
        """Forget the last listing. Unless `everything`, only Names that are looked for are kept."""

    async def look_for_doubts(self) -> None:
        """From here on look for the Names of jobs that are in doubt by now, or may be had twice."""

    async def note(self, connector_id: str, sessions: Sequence[Session]) -> None:
        """Keep sessions of a page; one that was seen before replaces what was known of it."""

    async def under_way(self) -> Sequence[SessionRequest]:
        """The requests of the jobs in flight."""

    async def end_listing(self) -> None:
        """Find the jobs of what was noted."""

    async def candidates(self, questions: Sequence[Question]) -> Sequence[Sequence[Session]]:
        """For each question the sessions of its connector with its Name that no job owns."""

    async def record(self, decisions: Sequence[Decision]) -> None:
        """Make decisions durable, all or none; what is to be sent again can be claimed again."""

    async def suspects(self) -> dict[str, float]:
        """The connectors of jobs that ever saw a 503, and when it was last seen, epoch seconds."""

    async def suspected(self) -> Sequence[SessionRequest]:
        """The requests of jobs that ever saw a 503 and are no open question."""

    async def strays(self, after: str, limit: int) -> Sequence[Stray]:
        """Up to `limit` strays of the listing with a session id above `after`, by session id."""

    async def unsent(self, after: int, limit: int) -> Sequence[Unsent]:
        """Up to `limit` pending or failed jobs above `after` that the listing has sessions for."""

    async def adopt(self, adopted: Sequence[tuple[Job, Session]]) -> None:
        """Record sessions that are there already as those of unsent jobs."""


class Gateway(Protocol):
    """The service."""

    async def create(self, request: SessionRequest, *, not_after: float) -> Outcome:
        """One CreateProxySession request on the wire, never two. Raises nothing of its own.

        `not_after` is epoch seconds: a request that has not left by then is not sent, and the
        outcome `TOO_LATE`. The look at the clock follows the signing, so that a signature is at
        most as young as `not_after`, whatever stops the process in between.
        """

    async def connector_proxy(self, connector_id: str) -> ConnectorProxy:
        """The connector's proxy configuration; retried where the service asks for patience.

        Raises:
            ConnectorError: the connector is missing or disabled.
            ServiceError: the service cannot be reached.
            CredentialsError: no credentials, or not allowed.
        """

    async def list_sessions(
        self, connector_id: str, next_token: str | None = None
    ) -> SessionPage | Outcome:
        """One ListProxySessions request, all statuses, at most 100 sessions; or why not.

        A read: what is ambiguous for a creation is retryable here. Raises nothing of its own.
        """


class Limiter(Protocol):
    """The lane's pace. Fair: first come, first served. Cancellable: a cancelled wait costs none."""

    @property
    def rate(self) -> float:
        """Calls/s, now; 0 while none is let through."""

    @property
    def learned(self) -> float | None:
        """Calls/s that the quota was found to allow; None where nobody looked, or not yet."""

    async def take(self) -> None:
        """Return when one call may be prepared: its intent recorded."""

    async def depart(self) -> None:
        """Return when a call may leave that had its turn in `take` and is prepared.

        So that calls which a slow disk held up do not leave all at once.
        """

    def set_ceiling(self, ceiling: float, reason: str) -> None:
        """From now on at most `ceiling` calls/s, obeyed within a second; none at all at 0."""

    def observe(self, outcome: Outcome, *, sent_at: float) -> None:
        """Learn from an answer; `sent_at` is `Clock.monotonic()` when the call left."""


class Breaker(Protocol):
    """Keeps a lane's calls from a service that is unwell. Times are `Clock.monotonic()`.

    `open_until` is None while it is closed, and otherwise when a call may be made as a probe.
    """

    @property
    def open_until(self) -> float | None:
        """See above."""

    def admit(self, now: float) -> float:
        """0.0 for a call that may be made now, and then has to be; or seconds to ask again in."""

    def observe(self, now: float, outcome: Outcome, *, sent_at: float) -> None:
        """Learn from an outcome of a call that left at `sent_at`."""

    def given_up(self, now: float) -> Outcome | None:
        """Why no more calls are to be made, as a fatal outcome; None to go on."""


class RetryPolicy(Protocol):
    """Whether and when a job is tried again."""

    def delay(self, outcome: Outcome, attempts: int, *, counted: int | None = None) -> float | None:
        """Seconds until the next attempt after `attempts` of this run; None: no more.

        `counted` of them, by default all, count towards the most that are made.
        """


class LedgerReader(Protocol):
    """Read-only views for reports; safe while a run is writing."""

    def campaigns(self) -> Sequence[CampaignRecord]:
        """All of them, oldest first."""

    def campaign(self, name: str) -> CampaignRecord | None:
        """One by name."""

    def counts(self, campaign_id: int) -> dict[JobState, int]:
        """Rows by state; states without rows are absent."""

    def calls(self, campaign_id: int) -> CallCounts:
        """Attempts by what became of them."""

    def results(self, campaign_id: int) -> Iterator[RowResult]:
        """Every row, streamed from one consistent snapshot.

        In file order; after an extension, in the order in which the rows were recorded first.
        """

    def rates(self) -> Sequence[LearnedRate]:
        """What lanes were found to allow, the latest first."""

    def last_run(self, campaign_id: int) -> bytes | None:
        """The summary, JSON, of the campaign's last finished run."""
