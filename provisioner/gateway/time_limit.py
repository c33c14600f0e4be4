"""A timeout for many futures at once, at the price of one timer."""

from __future__ import annotations

import asyncio
from typing import Any


class TimeLimit:
    """Lets futures fail that are not done in time.

    All have the same time, so theirs is over in the order in which they were given, and one timer
    for the first will do. None is no limit.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[asyncio.Future[Any], float] = {}
        self._is_watching = False

    def begin(self, future: asyncio.Future[Any]) -> float | None:
        """When its time is over, by the loop's clock: it gets a TimeoutError then."""
        if self._seconds is None:
            return None
        until = self._waiting[future] = self._loop.time() + self._seconds
        if not self._is_watching:
            self._watch(until)
        return until

    def end(self, future: asyncio.Future[Any]) -> None:
        """Its time is of no interest any more."""
        self._waiting.pop(future, None)

    def _watch(self, until: float) -> None:
        self._is_watching = True
        self._loop.call_at(until, self._look, until)

    def _look(self, now: float) -> None:
        for future, until in self._waiting.items():
            if until > now:
                self._watch(until)
                return
            if not future.done():
                future.set_exception(TimeoutError())
        self._is_watching = False
