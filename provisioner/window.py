"""Being done by a deadline: the last moment to start a call, and what cannot be settled in time."""

from __future__ import annotations

from datetime import tzinfo

import msgspec

from provisioner.events import Event, SettlingStarted
from provisioner.ports import Clock
from provisioner.report import RunTally
from provisioner.settings import Settings
from provisioner.stopping import Stop
from provisioner.wall_time import told, zone_named

_SLOWER = 2.0
_MARGIN = 1.0
_UNKNOWN_SHARE = 0.1
_RESULTS_A_SECOND = 20_000
_LOOK_AGAIN = 1.0


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """From `start` to `deadline`, epoch seconds; a call is given up after `timeout` seconds."""

    start: float
    deadline: float
    timeout: float

    def last_start(self, p99: float | None, rows: int) -> float:
        """When to start no more calls, so that those in flight and the results can be finished.

        Calls get twice the 99th percentile `p99` of their latencies in seconds and a second more,
        or before the first answer a tenth of the window, never more than `timeout`. The results
        of `rows` rows are written at 20,000 a second. A call that takes longer than it gets runs
        over the deadline, by at most `timeout`.
        """
        guess = _UNKNOWN_SHARE * max(self.deadline - self.start, 0.0)
        calls = guess if p99 is None else _SLOWER * p99 + _MARGIN
        return self.deadline - min(calls, self.timeout) - rows / _RESULTS_A_SECOND


def deadline_watch(
    settings: Settings, tally: RunTally, stop: Stop, now: float
) -> DeadlineWatch | None:
    """A watch over the deadline of a run that starts `now`, epoch seconds; None without one.

    Raises:
        ConfigurationError: this machine does not know the time zone.
    """
    zone = zone_named(settings.time_zone)
    if settings.deadline is None:
        return None
    window = Window(start=now, deadline=settings.deadline, timeout=settings.service.timeout)
    return DeadlineWatch(window, tally, stop, zone)


class DeadlineWatch:
    """An event sink that stops a run in time; `keep` looks at the clock beside it.

    What is in doubt and cannot be settled before the deadline is left for the next run.
    """

    def __init__(self, window: Window, tally: RunTally, stop: Stop, zone: tzinfo | None) -> None:
        self._window = window
        self._tally = tally
        self._stop = stop
        self._name = f"the deadline {told(window.deadline, zone)}"

    def __call__(self, event: Event) -> None:
        """Stop rather than wait for a listing that would come too late."""
        if isinstance(event, SettlingStarted) and event.until >= self._last_start():
            self._stop.now(f"what is in doubt cannot be settled before {self._name}")

    async def keep(self, clock: Clock) -> None:
        """Return once it is too late for another call; the run is stopped by then."""
        while (left := self._last_start() - clock.time()) > 0:
            await clock.sleep(min(left, _LOOK_AGAIN))
        self._stop.now(f"{self._name} leaves no time for another call")

    def _last_start(self) -> float:
        return self._window.last_start(self._tally.since_token.quantile(0.99), self._tally.total)
