"""The asynchronous shell: one writer thread that commits whatever has queued up meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, Self, TypeAlias, TypeVar, cast

import anyio

from provisioner.job import Attempt, Job, JobState, Outcome
from provisioner.ledger.sqlite import Closing, SqliteLedger

T = TypeVar("T")


class _Claim(NamedTuple):
    limit: int


class _Count(NamedTuple):
    pass


class _Deed(NamedTuple):
    deed: Callable[[SqliteLedger], Any]


class _Failed(NamedTuple):
    error: Exception


_What: TypeAlias = Job | Closing | _Claim | _Count | _Deed


class _Order(NamedTuple):
    """What a caller waits for; `what` says which."""

    what: _What
    answer: asyncio.Future[Any]


class GroupCommitLedger:
    """The Ledger port over a SqliteLedger; an asynchronous context manager.

    While one commit is on its way to the disk, orders queue up; the next commit takes them all.
    So one fsync serves many jobs under load, and none waits for company when idle.
    """

    def __init__(self, core: SqliteLedger) -> None:
        self._core = core
        self._given: list[_Order] = []
        self._orders: SimpleQueue[list[_Order] | None] = SimpleQueue()
        self._thread = Thread(target=self._write, name="ledger-writer", daemon=True)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._hand_over()
        self._orders.put(None)
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._thread.join)

    async def claim(self, limit: int) -> Sequence[Job]:
        """See the port."""
        return cast("Sequence[Job]", await self._ordered(_Claim(limit)))

    async def open_attempt(self, job: Job) -> Attempt:
        """See the port."""
        return cast("Attempt", await self._ordered(job))

    async def close_attempt(self, attempt: Attempt, outcome: Outcome, state: JobState) -> None:
        """See the port."""
        await self._ordered(Closing(attempt=attempt, outcome=outcome, state=state))

    async def perform(self, deed: Callable[[SqliteLedger], T]) -> T:
        """Do something else with the core, in the writer's thread, between two commits."""
        return cast("T", await self._ordered(_Deed(deed)))

    async def counts(self) -> dict[JobState, int]:
        """See the port."""
        return cast("dict[JobState, int]", await self._ordered(_Count()))

    def _ordered(self, what: _What) -> asyncio.Future[Any]:
        """Orders of one turn of the event loop go to the writer together: it wakes up once."""
        if not self._given:
            self._loop.call_soon(self._hand_over)
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._given.append(_Order(what, answer))
        return answer

    def _hand_over(self) -> None:
        given, self._given = self._given, []
        self._orders.put(given)

    def _write(self) -> None:
        more = True
        while more:
            orders, more = self._queued()
            answers: Sequence[object] | BaseException
            try:
                answers = self._commit([order.what for order in orders])
            except BaseException as error:  # noqa: BLE001  # whatever it is, the callers must hear
                answers = error
            # The loop is gone only when its run was abandoned; then nobody waits for answers.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(_answer, orders, answers)

    def _queued(self) -> tuple[list[_Order], bool]:
        """Everything queued, after waiting for something; False when the end is among it."""
        given = self._orders.get()
        orders: list[_Order] = []
        with suppress(Empty):
            while given is not None:
                orders += given
                given = self._orders.get_nowait()
            return orders, False
        return orders, True

    def _commit(self, orders: Sequence[object]) -> list[object]:
        jobs = [order for order in orders if isinstance(order, Job)]
        closings = [order for order in orders if isinstance(order, Closing)]
        attempts: list[Attempt] = []
        if jobs or closings:
            with self._core.transaction():
                self._core.close_attempts(closings)
                attempts = self._core.open_attempts(jobs)
        opened = iter(attempts)
        return [self._answer_to(order, opened) for order in orders]

    def _answer_to(self, order: object, opened: Iterator[Attempt]) -> object:
        match order:
            case Job():
                return next(opened)
            case _Claim(limit):
                return self._core.claim(limit)
            case _Count():
                return self._core.counts()
            case _Deed(deed):
                return self._outcome_of(deed)
            case _:
                return None

    def _outcome_of(self, deed: Callable[[SqliteLedger], Any]) -> object:
        """What it returns or raises: the others' orders are on disk by then."""
        try:
            return self._core.perform(deed)
        except Exception as error:  # noqa: BLE001  # whatever it is, its caller must hear
            return _Failed(error)


def _answer(orders: Sequence[_Order], answers: Sequence[object] | BaseException) -> None:
    """Runs in the loop's thread."""
    for i, order in enumerate(orders):
        if order.answer.done():
            continue
        if isinstance(answers, BaseException):
            order.answer.set_exception(answers)
        elif isinstance(answers[i], _Failed):
            order.answer.set_exception(cast("_Failed", answers[i]).error)
        else:
            order.answer.set_result(answers[i])
