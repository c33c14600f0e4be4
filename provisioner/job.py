"""A job, its life as a table of transitions, and what may become of one call."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from provisioner.session import Session, SessionRequest


class JobState(StrEnum):
    """Where a row stands. The last two never become jobs: they are rows that were turned away.

    `WITHDRAWN` is a job that was tried, has no session, and left the job file before it had one.
    """

    PENDING = "pending"
    IN_FLIGHT = "in_flight"
    AMBIGUOUS = "ambiguous"
    CREATED = "created"
    FAILED = "failed"
    NEEDS_REVIEW = "needs_review"
    WITHDRAWN = "withdrawn"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"


class Verdict(StrEnum):
    """What an answer, or its absence, says of a call.

    `CREATED` a session exists and is known. `REFUSED` definitely none, and never will be for this
    request. `RETRYABLE` definitely none, worth another try. `AMBIGUOUS` nobody knows. `FATAL`
    definitely none, and no other call of the lane, or of the connector, would fare better.
    """

    CREATED = "created"
    REFUSED = "refused"
    RETRYABLE = "retryable"
    AMBIGUOUS = "ambiguous"
    FATAL = "fatal"


class AttemptState(StrEnum):
    """`OPEN`: the intent is durable, the outcome not. `UNKNOWN`: nobody knows what came of it."""

    OPEN = "open"
    UNKNOWN = "unknown"
    CREATED = "created"
    NOT_CREATED = "not_created"


TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.PENDING: frozenset({JobState.IN_FLIGHT, JobState.CREATED, JobState.WITHDRAWN}),
    JobState.IN_FLIGHT: frozenset(
        {JobState.CREATED, JobState.FAILED, JobState.PENDING, JobState.AMBIGUOUS}
    ),
    JobState.AMBIGUOUS: frozenset(
        {
            JobState.CREATED,
            JobState.PENDING,
            JobState.FAILED,
            JobState.NEEDS_REVIEW,
            JobState.WITHDRAWN,
        }
    ),
    JobState.NEEDS_REVIEW: frozenset({JobState.AMBIGUOUS}),
    JobState.FAILED: frozenset({JobState.PENDING, JobState.CREATED}),
    JobState.WITHDRAWN: frozenset({JobState.PENDING}),
    JobState.CREATED: frozenset(),
    JobState.REJECTED: frozenset(),
    JobState.DUPLICATE: frozenset(),
}

SETTLED = frozenset(
    {
        JobState.CREATED,
        JobState.FAILED,
        JobState.WITHDRAWN,
        JobState.REJECTED,
        JobState.DUPLICATE,
    }
)
"""States in which nothing more will happen unless somebody asks for it."""

_AFTER: dict[Verdict, JobState] = {
    Verdict.CREATED: JobState.CREATED,
    Verdict.REFUSED: JobState.FAILED,
    Verdict.RETRYABLE: JobState.PENDING,
    Verdict.AMBIGUOUS: JobState.AMBIGUOUS,
    Verdict.FATAL: JobState.PENDING,
}

_ATTEMPT_AFTER: dict[Verdict, AttemptState] = {
    Verdict.CREATED: AttemptState.CREATED,
    Verdict.AMBIGUOUS: AttemptState.UNKNOWN,
}


def attempt_state_after(verdict: Verdict) -> AttemptState:
    """What a verdict makes of its attempt."""
    return _ATTEMPT_AFTER.get(verdict, AttemptState.NOT_CREATED)


RESULT_COLUMNS = (
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
"""What result files add to a row's own columns, in this order; ignored in a job file."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong with one row.

    `line` counts from 1 in the file (a header is line 1); `column` is the column's name, None when
    the whole row is meant; `value` is already masked; `message` says what to write instead.
    """

    line: int
    column: str | None = None
    value: str | None = None
    message: str


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted row, on its way to one proxy session. `attempts` counts those already made."""

    id: int
    key: str
    request: SessionRequest
    attempts: int = 0


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One request on the wire. `number` counts a job's attempts from 1; `opened_at` is epoch s."""

    id: int
    job_id: int
    number: int
    opened_at: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one call.

    `answered` tells that the service itself replied. `retry_after` is in seconds. `throttled`
    marks a 429 (or a throttling code). `message` has its phone numbers masked. `error_code` is the
    service's code, or the name of the transport's error. `fatal_exit` is the exit code a FATAL
    verdict asks for (69, 77 or 78); `connector_only` that it holds for its connector alone.
    """

    verdict: Verdict
    session: Session | None = None
    status: int | None = None
    error_code: str | None = None
    message: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    throttled: bool = False
    answered: bool = True
    fatal_exit: int | None = None
    connector_only: bool = False

    @property
    def said(self) -> str:
        """Code and message, as far as there are any."""
        return ": ".join(filter(None, (self.error_code, self.message)))


TOO_LATE = Outcome(
    verdict=Verdict.RETRYABLE,
    error_code="IntentTooOld",
    message="The process was stopped before the request could leave, so it was not sent.",
    answered=False,
)
"""What comes of a request whose moment was over before it could leave; provably unsent."""


def state_after(outcome: Outcome, *, exhausted: bool) -> JobState:
    """Where an outcome takes a job; `exhausted` tells that a retryable one will not be retried.

    What never reached the service fails no job: it is the lane that is in trouble.
    """
    if outcome.verdict is Verdict.RETRYABLE and exhausted and outcome.answered:
        return JobState.FAILED
    return _AFTER[outcome.verdict]
