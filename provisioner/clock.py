"""Time itself, and a time that moves only when everybody waits."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import anyio
import anyio.lowlevel

T = TypeVar("T")

_UNTIMED = 0.0015
"""Seconds. uvloop's timers count whole milliseconds."""
_HELD = 0.0001
"""Seconds. About what a turn of a quiet loop takes: giving way once more would be late."""


class SystemClock:
    """The machine's clocks: `time` is the wall's, epoch seconds; `monotonic` never steps back."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)

    async def sleep(self, seconds: float) -> None:
        """Return after at least `seconds`; cancellable.

        Below 1.5 ms, which the loop's timers cannot tell from 2.5, to the microsecond: the clock is
        looked at between whatever else the loop has to do, and the loop is held for the last
        tenth of a millisecond.
        """
        if seconds > _UNTIMED:
            await anyio.sleep(seconds)
            return
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0.0:
            if left > _HELD:
                await anyio.lowlevel.checkpoint()


class VirtualClock:
    """Simulated time: an hour's wait takes no time, and runs the same way every time.

    A program given to `run` lives on an event loop whose time this clock is. Whenever all of its
    tasks wait, time jumps to the earliest timer, so sleepers wake in order and timeouts count
    virtual seconds. Threads and sockets do not hold time up: keep them out of a simulation.

    `epoch` is the wall clock at the start; `now` the seconds since, and may be moved by hand.
    """

    def __init__(self, *, epoch: float = 1_700_000_000.0) -> None:
        self.now = 0.0
        self._epoch = epoch

    def time(self) -> float:
        """Wall clock, epoch seconds."""
        return self._epoch + self.now

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Return once virtual time has advanced by `seconds`; cancellable."""
        await anyio.sleep(seconds)

    def run(self, program: Coroutine[Any, Any, T]) -> T:
        """Run `program` to its end in virtual time and return its result."""
        with asyncio.Runner(loop_factory=lambda: _VirtualLoop(self)) as runner:
            return runner.run(program)


class _VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that asks a virtual clock what time it is."""

    def __init__(self, clock: VirtualClock) -> None:
        self._virtual = clock
        super().__init__(_AdvancingSelector(clock))

    def time(self) -> float:
        return self._virtual.now


class _AdvancingSelector(selectors.DefaultSelector):
    """A selector that spends a timeout by moving the clock instead of waiting."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self._clock.now += timeout
        return ready
