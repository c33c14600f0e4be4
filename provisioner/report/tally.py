"""What a run has done so far, folded from its events."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from provisioner.events import (
    AuditAwaited,
    BreakerClosed,
    BreakerOpened,
    CallSent,
    DrainStarted,
    Event,
    JobSettled,
    ListingFailed,
    OutcomeRecorded,
    RateChanged,
    RateLearned,
    RunFinished,
    RunStarted,
    SettlingStarted,
    StrayFound,
)
from provisioner.job import JobState
from provisioner.report.bottleneck import Bottleneck

RECENT = 5.0
"""Seconds over which the current rate is taken."""

_SLOTS_PER_SECOND = 2
_SHORTEST = 1e-5
_LONGEST = 1e4
_GROWTH = 1.019
_SCALE = 1 / math.log(_GROWTH)
_BUCKETS = math.ceil(math.log(_LONGEST / _SHORTEST) * _SCALE) + 1
_UNSTARTED = frozenset({JobState.PENDING, JobState.IN_FLIGHT})


class LatencyQuantiles(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from a send to its answer; within 1 %, `max` exact. None before the first answer."""

    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    max: float | None = None


class LatencyHistogram:
    """Latencies in buckets that each grow by 1.9 %, as in DDSketch (Masson et al., 2019).

    Memory is constant. A quantile is within 1 % of a latency between 10 µs and 10,000 s.
    """

    def __init__(self) -> None:
        self._buckets = [0] * _BUCKETS
        self._count = 0
        self._longest = 0.0

    def record(self, latency: float) -> None:
        """Add one latency, in seconds."""
        within = min(max(latency, _SHORTEST), _LONGEST)
        self._buckets[int(math.log(within / _SHORTEST) * _SCALE)] += 1
        self._count += 1
        self._longest = max(self._longest, latency)

    def quantile(self, share: float) -> float | None:
        """The latency that `share` (0 to 1) of the calls did not exceed; None without calls."""
        wanted, seen = math.ceil(share * self._count), 0
        for index, count in enumerate(self._buckets):
            seen += count
            if count and seen >= wanted:
                middle: float = _SHORTEST * _GROWTH ** (index + 0.5)
                return round(min(middle, self._longest), 6)
        return None

    def quantiles(self) -> LatencyQuantiles:
        """The ones a summary shows."""
        return LatencyQuantiles(
            p50=self.quantile(0.5),
            p90=self.quantile(0.9),
            p99=self.quantile(0.99),
            max=round(self._longest, 6) if self._count else None,
        )


class RecentRate:
    """How often something happened per second, over the last `RECENT` seconds."""

    def __init__(self) -> None:
        self._slots: deque[list[int]] = deque()

    def record(self, at: float) -> None:
        """Count one at a time, in seconds, that does not step back."""
        slot = int(at * _SLOTS_PER_SECOND)
        if self._slots and self._slots[-1][0] >= slot:
            self._slots[-1][1] += 1
        else:
            self._slots.append([slot, 1])
            self._forget(slot)

    def rate(self, now: float, since: float) -> float:
        """Per second up to `now`; `since` is when counting began."""
        self._forget(int(now * _SLOTS_PER_SECOND))
        begin = max(since, (int(now * _SLOTS_PER_SECOND) + 1) / _SLOTS_PER_SECOND - RECENT)
        span = max(now - begin, 1 / _SLOTS_PER_SECOND)
        return sum(count for _, count in self._slots) / span

    def _forget(self, slot: int) -> None:
        while self._slots and self._slots[0][0] <= slot - RECENT * _SLOTS_PER_SECOND:
            self._slots.popleft()


class RunTally:
    """An event sink that keeps what progress and summary show; time is the events' own.

    `counts` are the campaign's rows by state, those in flight counted as pending. `rate_asked` and
    `rate_learned` are calls/s, None before they are known. `ambiguous` rows wait to be settled, the
    first of them until `settled_at`, epoch seconds; 0 while calls are made. What answered 503 is
    looked for at `audited_at`, epoch seconds; 0 where it is not. A service that is
    unwell is left alone until `paused_until`, epoch seconds; 0 otherwise. `stopped` is why no
    call starts any more. `since_token` is the latency as the limiter sees it: from a call's token
    until its outcome is durable.
    """

    def __init__(self) -> None:
        self.campaign = ""
        self.started: float | None = None
        self.ended: float | None = None
        self.counts: dict[JobState, int] = {}
        self.calls = 0
        self.in_flight = 0
        self.throttled = 0
        self.rate_asked: float | None = None
        self.rate_learned: float | None = None
        self.ambiguous = 0
        self.settled_at = 0.0
        self.audited_at = 0.0
        self.paused_until = 0.0
        self.duplicates = 0
        self.orphans = 0
        self.unlisted: list[str] = []
        self.stopped: str | None = None
        self.latency = LatencyHistogram()
        self.since_token = LatencyHistogram()
        self.bottleneck = Bottleneck()
        self._first_sent = math.inf
        self._last_sent = 0.0
        self._sent = RecentRate()
        self._settled = RecentRate()
        self._folds: dict[type, Callable[[Any], None]] = {
            CallSent: self._on_sent,
            OutcomeRecorded: self._on_outcome,
            RunStarted: self._on_started,
            RateChanged: self._on_rate,
            RateLearned: self._on_learned,
            BreakerOpened: self._on_pause,
            BreakerClosed: self._on_recovery,
            DrainStarted: self._on_drain,
            SettlingStarted: self._on_settling,
            AuditAwaited: self._on_audit,
            JobSettled: self._on_settled,
            ListingFailed: self._on_unlisted,
            StrayFound: self._on_stray,
            RunFinished: self._on_finished,
        }

    def __call__(self, event: Event) -> None:
        """Fold one event in."""
        self.bottleneck(event)
        fold = self._folds.get(type(event))
        if fold is not None:
            fold(event)

    @property
    def total(self) -> int:
        """The campaign's rows."""
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        """Those that are neither pending nor in flight."""
        return self.total - sum(self.counts.get(state, 0) for state in _UNSTARTED)

    def rate_achieved(self) -> float:
        """Calls a second from the first call to the last; 0 for fewer than two."""
        span = self._last_sent - self._first_sent
        return (self.calls - 1) / span if span > 0 else 0.0

    def rate(self, now: float) -> float:
        """Calls a second, lately."""
        return self._sent.rate(now, self._since(now))

    def remaining_seconds(self, now: float) -> float | None:
        """How long the rest will take at the pace of late; None while nobody can tell.

        Nor can anybody once no call starts any more.
        """
        if self.stopped is not None:
            return None
        pace = self._settled.rate(now, self._since(now))
        return (self.total - self.done) / pace if pace else None

    def _since(self, now: float) -> float:
        return now if self.started is None else self.started

    def _on_started(self, event: RunStarted) -> None:
        self.campaign = event.campaign
        self.started = event.at
        self.rate_asked = event.rate
        self.counts = dict(event.counts)

    def _on_sent(self, event: CallSent) -> None:
        self.calls += 1
        self.in_flight += 1
        self._first_sent = min(self._first_sent, event.at)
        self._last_sent = event.at
        self._sent.record(event.at)

    def _on_outcome(self, event: OutcomeRecorded) -> None:
        self.in_flight -= 1
        self.throttled += event.outcome.throttled
        self.latency.record(event.latency)
        self.since_token.record(event.latency + event.recording)
        if event.state is not JobState.PENDING:
            self._move(JobState.PENDING, event.state)
            self._settled.record(event.at)

    def _on_rate(self, event: RateChanged) -> None:
        # A pause teaches nothing.
        self.rate_learned = event.rate or self.rate_learned

    def _on_learned(self, event: RateLearned) -> None:
        self.rate_learned = event.rate

    def _on_pause(self, event: BreakerOpened) -> None:
        self.paused_until = event.at + event.seconds

    def _on_recovery(self, _: BreakerClosed) -> None:
        self.paused_until = 0.0

    def _on_drain(self, event: DrainStarted) -> None:
        self.stopped = event.reason

    def _on_settling(self, event: SettlingStarted) -> None:
        self.ambiguous, self.settled_at = event.ambiguous, event.until

    def _on_audit(self, event: AuditAwaited) -> None:
        self.audited_at = event.until

    def _on_settled(self, event: JobSettled) -> None:
        self.ambiguous = max(self.ambiguous - 1, 0)
        self._move(JobState.AMBIGUOUS, event.state)

    def _on_unlisted(self, event: ListingFailed) -> None:
        self.unlisted.append(event.connector_id)

    def _on_stray(self, event: StrayFound) -> None:
        self.orphans += event.owned is None
        self.duplicates += event.owned is not None

    def _on_finished(self, event: RunFinished) -> None:
        self.ended = event.at
        self.counts = dict(event.counts)

    def _move(self, before: JobState, after: JobState) -> None:
        """A row goes from a state to another; the sum stays what it was."""
        if self.counts.get(before):
            self.counts[before] -= 1
            self.counts[after] = self.counts.get(after, 0) + 1
