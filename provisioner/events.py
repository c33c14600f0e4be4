"""Facts, in the past tense, that the engine emits and others subscribe to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from provisioner.job import JobState, Outcome


class RunStarted(msgspec.Struct, frozen=True, kw_only=True):
    """The first call may follow. `counts` are the campaign's rows by state; `rate` is calls/s."""

    campaign: str
    counts: dict[JobState, int]
    rate: float
    concurrency: int
    at: float


class CallSent(msgspec.Struct, frozen=True, kw_only=True):
    """An intent is durable and its request is leaving. Times are epoch seconds."""

    job_key: str
    attempt: int
    at: float


class OutcomeRecorded(msgspec.Struct, frozen=True, kw_only=True):
    """A call's outcome is durable; the job now stands at `state`.

    `attempt` counts this job's attempts from 1; `latency` is seconds from the send to the answer;
    `retry_in` is seconds until the job goes back behind the limiter, None when it does not.
    """

    job_key: str
    attempt: int
    outcome: Outcome
    state: JobState
    latency: float
    retry_in: float | None
    at: float


class RateChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The pace moved, in calls/s; `reason` is a few words."""

    rate: float
    previous: float
    reason: str
    at: float


class DrainStarted(msgspec.Struct, frozen=True, kw_only=True):
    """No new call starts from here; calls in flight finish and are recorded."""

    reason: str
    in_flight: int
    at: float


class RunFinished(msgspec.Struct, frozen=True, kw_only=True):
    """Every worker is done. `counts` as in RunStarted."""

    campaign: str
    counts: dict[JobState, int]
    at: float


Event: TypeAlias = (
    RunStarted | CallSent | OutcomeRecorded | RateChanged | DrainStarted | RunFinished
)
EventSink: TypeAlias = Callable[[Event], None]
