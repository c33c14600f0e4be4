"""Campaigns as somebody sees them who only reads the ledger while a run writes it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Self, TextIO, cast

import msgspec

from provisioner.job import JobState
from provisioner.report.progress import with_bar
from provisioner.report.render import seconds_text
from provisioner.report.stream import ForgivingStream

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment

RECENT = 15.0
"""Seconds over which the pace is taken."""

_LEFT = (JobState.PENDING, JobState.IN_FLIGHT)
_UNSETTLED = (*_LEFT, JobState.AMBIGUOUS)
_NAMES = {JobState.AMBIGUOUS: "in doubt", JobState.NEEDS_REVIEW: "need review"}
_GAP = "  "


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign's rows by state at a moment; `pace` is rows/s lately, None while unknown."""

    campaign: str
    counts: Mapping[JobState, int]
    pace: float | None

    @property
    def total(self) -> int:
        """All rows."""
        return sum(self.counts.values())

    @property
    def left(self) -> int:
        """Rows that a call is to be made for, or being made."""
        return sum(self.counts.get(state, 0) for state in _LEFT)

    @property
    def unsettled(self) -> bool:
        """Whether a run has something to do here."""
        return any(self.counts.get(state) for state in _UNSETTLED)

    def progress(self) -> str:
        """How far, how fast, how long: `1,200/3,000  40%  20.0 rows/s  ETA 1m30s`."""
        done, total = self.total - self.left, self.total
        percent = f"{100 * done // total}%" if total else "100%"
        parts = [f"{done:,}/{total:,}", percent]
        if self.pace is not None:
            parts.append(f"{self.pace:,.1f} rows/s")
        if self.pace and self.left:
            parts.append(f"ETA {seconds_text(math.ceil(self.left / self.pace))}")
        return _GAP.join(parts)

    def states(self) -> str:
        """The rows by state, those without rows left out."""
        told = ((_NAMES.get(state, state.replace("_", " ")), state) for state in JobState)
        found = [f"{self.counts[each]:,} {name}" for name, each in told if self.counts.get(each)]
        return ", ".join(found) or "empty"


class Trend:
    """The pace of one campaign, from what was counted at moments that do not step back."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def __call__(self, at: float, done: int) -> float | None:
        """Rows/s over the last `RECENT` seconds, at `at` seconds with `done` rows."""
        self._seen.append((at, done))
        while at - self._seen[0][0] > RECENT:
            self._seen.popleft()
        first, before = self._seen[0]
        return max(done - before, 0) / (at - first) if at > first else None


class Board:
    """Campaigns at the foot of a terminal, drawn anew by `show`; a context manager."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console  # noqa: PLC0415 - slow to import
        from rich.live import Live  # noqa: PLC0415 - slow to import

        self._console = Console(file=cast("TextIO", ForgivingStream(stream)))
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False)

    def __enter__(self) -> Self:
        self._live.start()
        # A process that is killed must not leave the terminal without its cursor.
        self._console.show_cursor()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, standings: Iterable[Standing]) -> None:
        """Draw them."""
        self._live.update(_Lines(list(standings)), refresh=True)


class _Lines:
    """Two lines a campaign: its name with the bar, and the rows by state."""

    def __init__(self, standings: list[Standing]) -> None:
        self._standings = standings

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        from rich.segment import Segment  # noqa: PLC0415 - slow to import

        for nth, each in enumerate(self._standings):
            if nth:
                yield Segment.line()
            name = f"{each.campaign[: options.max_width // 3]}{_GAP}"
            yield Segment(name)
            room = options.update_width(options.max_width - len(name))
            yield from with_bar(
                each.progress()[: room.max_width], each.total - each.left, each.total, console, room
            )
            yield Segment.line()
            yield Segment(f"{_GAP}{each.states()}"[: options.max_width])
