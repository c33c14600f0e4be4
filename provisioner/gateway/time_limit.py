"""A timeout for many calls at once, at the price of one timer."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import cast

_OVER = -1.0


class TimeLimit:
    """Around each of many blocks what `asyncio.timeout(seconds)` is around one.

    All have the same time, so they are over in the order in which they began, and one timer for
    the first will do. A task may be in one such block of a limit. None is no limit.

    Raises:
        TimeoutError: in the block whose time is over.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._inside: dict[asyncio.Task[object], tuple[float, int]] = {}
        self._is_watching = False

    def __enter__(self) -> None:
        if self._seconds is not None:
            task, until = _current_task(), self._loop.time() + self._seconds
            self._inside[task] = until, task.cancelling()
            if not self._is_watching:
                self._watch(until)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._seconds is None:
            return
        task = _current_task()
        until, cancelling = self._inside.pop(task)
        if until == _OVER and task.uncancel() <= cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _watch(self, until: float) -> None:
        self._is_watching = True
        self._loop.call_at(until, self._look, until)

    def _look(self, now: float) -> None:
        for task, (until, cancelling) in self._inside.items():
            if until > now:
                self._watch(until)
                return
            if until != _OVER:
                self._inside[task] = _OVER, cancelling
                task.cancel()
        self._is_watching = False


def _current_task() -> asyncio.Task[object]:
    return cast("asyncio.Task[object]", asyncio.current_task())
