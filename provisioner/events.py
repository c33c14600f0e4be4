"""Facts, in the past tense, that the engine emits and others subscribe to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from provisioner.job import JobState, Outcome
from provisioner.rulings import Ruling


class RunStarted(msgspec.Struct, frozen=True, kw_only=True):
    """The first call may follow. `counts` are the campaign's rows by state.

    `rate` is the calls/s asked for, None where they are learned.
    """

    campaign: str
    counts: dict[JobState, int]
    rate: float | None
    concurrency: int
    at: float


class RetryUnmatched(msgspec.Struct, frozen=True, kw_only=True):
    """No row of the campaign could be sent again for having failed with `code`.

    `failed` are its failed rows by error code.
    """

    code: str
    failed: dict[str, int]
    at: float


class CallSent(msgspec.Struct, frozen=True, kw_only=True):
    """An intent is durable and its request is leaving. Times are epoch seconds."""

    job_key: str
    attempt: int
    at: float


class OutcomeRecorded(msgspec.Struct, frozen=True, kw_only=True):
    """A call's outcome is durable; the job now stands at `state`.

    `attempt` counts this job's attempts from 1; `latency` is seconds from the send to the answer,
    `recording` those that the ledger took before and after, so that their sum is the time since
    the call's token. `retry_in` is seconds until the job goes back behind the limiter, None when
    it does not.
    """

    job_key: str
    attempt: int
    outcome: Outcome
    state: JobState
    latency: float
    recording: float = 0.0
    retry_in: float | None
    at: float


class OutcomeUnrecorded(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger failed, so a call's outcome is known here and nowhere else; the run ends."""

    job_key: str
    attempt: int
    outcome: Outcome
    at: float


class RateChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The pace moved, in calls/s, 0 for a pause; `reason` is a few words.

    Where a run begins at a rate that was learned before, it moves from that rate to itself.
    """

    rate: float
    previous: float
    reason: str
    at: float


class ConcurrencyChanged(msgspec.Struct, frozen=True, kw_only=True):
    """So many calls may be on the wire at once, as rate and latency ask for."""

    connections: int
    at: float


class ConcurrencyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Answers are so slow that `connections` cannot reach the rate, `reachable` calls/s at most."""

    connections: int
    reachable: float
    at: float


class ConnectorSetAside(msgspec.Struct, frozen=True, kw_only=True):
    """No call to a connector would fare better: its jobs stay pending, the others' are sent."""

    connector_id: str
    reason: str
    at: float


class RateLearned(msgspec.Struct, frozen=True, kw_only=True):
    """It is durable what the lane's quota was found to be, in calls/s."""

    lane: str
    rate: float
    at: float


class BreakerOpened(msgspec.Struct, frozen=True, kw_only=True):
    """The service is unwell: no call for `seconds`, then a single one. `reason` is the last code.

    Told once more for each such call that fails.
    """

    reason: str
    seconds: float
    at: float


class BreakerClosed(msgspec.Struct, frozen=True, kw_only=True):
    """The service answers again: calls go on."""

    at: float


class DrainStarted(msgspec.Struct, frozen=True, kw_only=True):
    """No new call starts from here; calls in flight finish and are recorded."""

    reason: str
    in_flight: int
    at: float


class SettlingStarted(msgspec.Struct, frozen=True, kw_only=True):
    """So many jobs are ambiguous; the next listing that settles some begins at `until`."""

    ambiguous: int
    until: float
    at: float


class AuditAwaited(msgspec.Struct, frozen=True, kw_only=True):
    """A 503 was seen; at `until` the sessions are listed that it may have made after all."""

    until: float
    at: float


class ListingFailed(msgspec.Struct, frozen=True, kw_only=True):
    """A connector's sessions could not be listed, so this run settles none of its jobs."""

    connector_id: str
    outcome: Outcome
    at: float


class JobSettled(msgspec.Struct, frozen=True, kw_only=True):
    """It is durable what became of an ambiguous attempt; the job now stands at `state`.

    `session_id` is the adopted session's; `reason` tells why a job needs review.
    """

    job_key: str
    ruling: Ruling
    state: JobState
    session_id: str | None = None
    reason: str | None = None
    at: float


class StrayFound(msgspec.Struct, frozen=True, kw_only=True):
    """A session at the service that no job owns: a duplicate of `owned`, or an orphan."""

    connector_id: str
    session_id: str
    job_key: str | None
    owned: str | None
    at: float


class RunFinished(msgspec.Struct, frozen=True, kw_only=True):
    """Every worker is done. `counts` as in RunStarted."""

    campaign: str
    counts: dict[JobState, int]
    at: float


Event: TypeAlias = (
    RunStarted
    | RetryUnmatched
    | CallSent
    | OutcomeRecorded
    | OutcomeUnrecorded
    | RateChanged
    | RateLearned
    | ConcurrencyChanged
    | ConcurrencyLimits
    | ConnectorSetAside
    | BreakerOpened
    | BreakerClosed
    | DrainStarted
    | SettlingStarted
    | AuditAwaited
    | ListingFailed
    | JobSettled
    | StrayFound
    | RunFinished
)
EventSink: TypeAlias = Callable[[Event], None]
