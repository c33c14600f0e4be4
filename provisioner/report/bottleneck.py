"""What held a run back, second by second: quota, concurrency, CPU or ledger.

The utilisation law of operational analysis (Denning and Buzen, 1978): in any stretch of time the
resource that is used most is the one that limits. A stretch is a second or the first event after
it; it counts as a whole for its limit, except that full connections are shared out between the
service's answers and the ledger's commits, by what the calls spent their time on.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import msgspec

from provisioner.events import (
    CallSent,
    ConcurrencyChanged,
    Event,
    OutcomeRecorded,
    RateChanged,
    RunFinished,
    RunStarted,
)

STRETCH = 1.0
"""Seconds."""

_SCHEDSTAT = Path("/proc/self/schedstat")
_BUSY = 0.5
_SATURATED = 0.85


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of a run's time, 0 to 1, by what limited it; they sum up to 1, or 0 for no run.

    `quota` is the rate asked for or learned, and the service's throttling; `concurrency` means
    that every connection waited for the service; `cpu` includes waiting for one; `waiting` means
    that there was nothing to send: retries and settling waited for their time, or the last calls
    were under way.
    """

    quota: float = 0.0
    concurrency: float = 0.0
    cpu: float = 0.0
    ledger: float = 0.0
    waiting: float = 0.0


def cpu_wanted() -> float:
    """CPU seconds this process has used and, where Linux tells, its first thread has waited for."""
    try:
        waited = int(_SCHEDSTAT.read_text("ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        waited = 0.0
    return time.process_time() + waited


class Bottleneck:
    """An event sink that tells what limited the run. `cpu` gives CPU seconds, as `cpu_wanted`."""

    def __init__(self, cpu: Callable[[], float] = cpu_wanted) -> None:
        self._cpu = cpu
        self._limited: defaultdict[str, float] = defaultdict(float)
        self._rate = self._connections = 0.0
        self._in_flight = 0
        self._last = 0.0
        self._throttled = False
        self._begin(0.0)

    def __call__(self, event: Event) -> None:
        """Fold one event in."""
        match event:
            case CallSent():
                self._pass(event.at)
                self._in_flight += 1
                self._quota_seconds += 1 / self._rate if self._rate else 0.0
            case OutcomeRecorded():
                self._pass(event.at)
                self._in_flight -= 1
                self._recording += event.recording
                self._calling += event.latency
                self._throttled = self._throttled or event.outcome.throttled
            case RateChanged():
                self._rate = event.rate
            case ConcurrencyChanged():
                self._connections = event.connections
            case RunStarted():
                self._rate, self._connections = event.rate or 0.0, event.concurrency
                self._last = event.at
                self._begin(event.at)
            case RunFinished():
                self._pass(event.at)
                self._end(event.at)
            case _:
                pass

    def limits(self) -> Limits:
        """The shares so far, in thousandths."""
        total = sum(self._limited.values()) or 1.0
        return Limits(**{name: round(part / total, 3) for name, part in self._limited.items()})

    def _pass(self, now: float) -> None:
        """Time goes by, unless the clock was set back; a stretch may end."""
        self._held += self._in_flight * max(now - self._last, 0.0)
        self._last = now
        if not 0.0 <= now - self._began < STRETCH:
            self._end(now)
            self._begin(now)

    def _begin(self, now: float) -> None:
        self._began = now
        self._cpu_began = self._cpu()
        self._held = self._quota_seconds = self._recording = self._calling = 0.0
        self._throttled = False

    def _end(self, now: float) -> None:
        seconds = now - self._began
        if seconds <= 0.0:
            return
        quota = self._quota_seconds / seconds
        cpu = (self._cpu() - self._cpu_began) / seconds
        slots = (self._held + self._recording) / (self._connections * seconds or 1.0)
        if max(quota, cpu, slots) < _BUSY:
            self._limited["quota" if self._throttled else "waiting"] += seconds
        elif quota >= min(max(cpu, slots), _SATURATED):
            self._limited["quota"] += seconds
        elif cpu >= min(slots, _SATURATED):
            self._limited["cpu"] += seconds
        else:
            self._share_out(seconds)

    def _share_out(self, seconds: float) -> None:
        """Full connections: what they waited for."""
        both = self._recording + self._calling
        ledger = seconds * self._recording / both if both else 0.0
        self._limited["ledger"] += ledger
        self._limited["concurrency"] += seconds - ledger
