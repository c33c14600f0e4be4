"""The synchronous shell: every order is a commit of its own, no thread; for simulations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from provisioner.job import Attempt, Job, JobState, Outcome
from provisioner.ledger.sqlite import Closing, SqliteLedger

T = TypeVar("T")


class ImmediateLedger:
    """The Ledger port over a SqliteLedger, deterministic: a call never yields to the loop."""

    def __init__(self, core: SqliteLedger) -> None:
        self._core = core

    async def claim(self, limit: int) -> Sequence[Job]:
        """See the port."""
        return self._core.claim(limit)

    async def open_attempt(self, job: Job) -> Attempt:
        """See the port."""
        with self._core.transaction():
            return self._core.open_attempts([job])[0]

    async def close_attempt(self, attempt: Attempt, outcome: Outcome, state: JobState) -> None:
        """See the port."""
        with self._core.transaction():
            self._core.close_attempts([Closing(attempt=attempt, outcome=outcome, state=state)])

    async def perform(self, deed: Callable[[SqliteLedger], T]) -> T:
        """Do something else with the core."""
        return self._core.perform(deed)

    async def counts(self) -> dict[JobState, int]:
        """See the port."""
        return self._core.counts()
