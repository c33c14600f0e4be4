"""How far a run is: a line that renews itself on a terminal, a log line now and then elsewhere.

Both are event sinks that show a `RunTally`; whoever owns the tally folds each event into it first.
They keep no thread: they renew on events, and on `refresh`, which `keep_fresh` calls while nothing
happens. rich is imported with the first terminal line.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Self, TextIO, cast

from provisioner.events import Event, RunStarted
from provisioner.ports import Clock
from provisioner.report.render import seconds_text
from provisioner.report.stream import ForgivingStream
from provisioner.report.tally import RunTally

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment
    from structlog.typing import FilteringBoundLogger

TERMINAL_INTERVAL = 0.1
LOG_INTERVAL = 30.0

_GAP = "  "
_SHORTEST_BAR = 6


class Progress(AbstractContextManager["Progress"]):
    """What both kinds share: when to show. Times are epoch seconds, as in events."""

    interval = TERMINAL_INTERVAL

    def __init__(self, tally: RunTally) -> None:
        self.tally = tally
        self._shown = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __call__(self, event: Event) -> None:
        """Show what the event changed, if the last time was long enough ago."""
        self.refresh(event.at)

    def refresh(self, now: float) -> None:
        """Show where the run stands, once it has begun, unless that was done within `interval`."""
        # A clock that was set back must not freeze the line.
        if self.tally.started is not None and abs(now - self._shown) >= self.interval:
            self._shown = now
            self.show(now)

    @abstractmethod
    def show(self, now: float) -> None:
        """Show where the run stands."""

    async def keep_fresh(self, clock: Clock) -> None:
        """Refresh until cancelled, so that idle times and the ETA are told too."""
        while True:
            self.refresh(clock.time())
            await clock.sleep(TERMINAL_INTERVAL)


class LoggedProgress(Progress):
    """A log line every 30 seconds, the first after as long; the start has a line of its own."""

    interval = LOG_INTERVAL

    def __init__(self, tally: RunTally, logger: FilteringBoundLogger) -> None:
        super().__init__(tally)
        self._logger = logger

    def __call__(self, event: Event) -> None:
        """Write the line, if the last one is old enough."""
        if isinstance(event, RunStarted):
            self._shown = event.at
        super().__call__(event)

    def show(self, now: float) -> None:
        """Write the line."""
        remaining = self.tally.remaining_seconds(now)
        self._logger.info(
            "progress",
            done=self.tally.done,
            total=self.tally.total,
            rate=round(self.tally.rate(now), 1),
            throttled=self.tally.throttled,
            in_flight=self.tally.in_flight,
            eta_seconds=None if remaining is None else round(remaining),
        )


class TerminalProgress(Progress):
    """One line at the bottom of a terminal while the context is open, renewed at most 10/s.

    Whatever else goes to the terminal meanwhile has to go through `log_stream`, which prints above
    the line (and prints plainly outside the context).
    """

    def __init__(self, tally: RunTally, stream: TextIO) -> None:
        from rich.console import Console  # noqa: PLC0415 - slow to import
        from rich.file_proxy import FileProxy  # noqa: PLC0415 - slow to import
        from rich.live import Live  # noqa: PLC0415 - slow to import

        super().__init__(tally)
        # A log line longer than the terminal is wide stays one line for who copies it.
        self._console = Console(file=cast("TextIO", ForgivingStream(stream)), soft_wrap=True)
        self._line = ProgressLine(tally)
        self._live = Live(
            self._line,
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
        )
        self.log_stream = cast("TextIO", FileProxy(self._console, stream))

    def __enter__(self) -> Self:
        self._live.start()
        # A process that is killed must not leave the terminal without its cursor.
        self._console.show_cursor()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, now: float) -> None:
        """Draw the line anew."""
        self._line.now = now
        self._live.refresh()


def with_bar(
    text: str, done: int, total: int, console: Console, options: ConsoleOptions
) -> Iterator[Segment]:
    """A text at the right, and in the room that it leaves a bar, where one fits."""
    from rich.progress_bar import ProgressBar  # noqa: PLC0415 - slow to import
    from rich.segment import Segment  # noqa: PLC0415 - slow to import

    room = options.max_width - len(text) - len(_GAP)
    if room >= _SHORTEST_BAR and total:
        yield from console.render(ProgressBar(total, done, width=room), options)
        yield Segment(_GAP)
    yield Segment(text)


class ProgressLine:
    """The line itself; as much of it as fits, the count first and last."""

    def __init__(self, tally: RunTally) -> None:
        self._tally = tally
        self.now = 0.0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        text = self.text(options.max_width)
        yield from with_bar(text, self._tally.done, self._tally.total, console, options)

    def text(self, width: int) -> str:
        """The line without its bar, in at most `width` characters."""
        parts = self._parts()
        # What can be left out where there is no room, the first first.
        for optional in ("percent", "in_flight", "throttled", "eta", "rate"):
            if len(_GAP.join(parts.values())) <= width:
                break
            del parts[optional]
        return _GAP.join(parts.values())[:width]

    def _parts(self) -> dict[str, str]:
        tally = self._tally
        return {
            "count": f"{tally.done:,}/{tally.total:,}",
            "percent": f"{100 * tally.done // tally.total}%" if tally.total else "100%",
            "rate": f"{tally.rate(self.now):,.1f}/s",
            "throttled": f"{tally.throttled:,} throttled",
            "in_flight": f"{tally.in_flight:,} in flight",
            "eta": self._outlook(),
        }

    def _outlook(self) -> str:
        """What the run waits for, or when it will be done."""
        tally, now = self._tally, self.now
        if tally.stopped is not None:
            return "stopping"
        if tally.paused_until:
            return f"unwell, tried again in {_whole(max(tally.paused_until - now, 0.0))}"
        if tally.ambiguous and tally.settled_at > now:
            return f"{tally.ambiguous:,} settle in {_whole(tally.settled_at - now)}"
        if tally.audited_at > now:
            return f"503s audited in {_whole(tally.audited_at - now)}"
        remaining = tally.remaining_seconds(now)
        return f"ETA {'-' if remaining is None else _whole(remaining)}"


def _whole(seconds: float) -> str:
    return seconds_text(math.ceil(seconds))
