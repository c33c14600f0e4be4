"""Ending a run before its rows do: who asks for it, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio

from provisioner.errors import HaltedError, ProvisionerError
from provisioner.events import Event, OutcomeRecorded
from provisioner.halting import HaltRule, Sample, breach


class Stop:
    """Whether a run is to end early; the first reason counts.

    `asked` is the caller's: once it is set, the run stops. `error` is what the caller gets to see,
    None for a stop that is no fault.
    """

    def __init__(self, asked: anyio.Event) -> None:
        self._asked = asked
        self._told = anyio.Event()
        self._heeding: list[Callable[[], None]] = []
        self.reason = ""
        self.error: ProvisionerError | None = None
        if asked.is_set():
            self.now("asked to stop")

    def is_set(self) -> bool:
        """Whether there is a reason."""
        return self._told.is_set()

    def now(self, reason: str, error: ProvisionerError | None = None) -> None:
        """Stop, for a reason of a few words."""
        if not self.is_set():
            self.reason, self.error = reason, error
            self._told.set()
            for heed in self._heeding:
                heed()

    async def wait(self) -> None:
        """Return once there is a reason."""
        await self._told.wait()

    def heeded_by(self, heed: Callable[[], None]) -> None:
        """Have `heed` called in the moment in which there is a reason; now, if there is one."""
        self._heeding.append(heed)
        if self.is_set():
            heed()

    async def listen(self) -> None:
        """Stop when the caller asks for it; to be run beside the work."""
        await self._asked.wait()
        self.now("asked to stop")


class HaltWatch:
    """An event sink that stops a run once it breaks one of its halt rules."""

    def __init__(self, rules: Sequence[HaltRule], stop: Stop) -> None:
        self._rules = rules
        self._stop = stop
        self._sample = Sample()

    def __call__(self, event: Event) -> None:
        """Judge what a call came to."""
        if isinstance(event, OutcomeRecorded):
            self._sample = self._sample.with_call(event.outcome, event.state)
            if broken := breach(self._rules, self._sample):
                self._stop.now(f"halted by {broken}", _halted(broken))


def _halted(broken: str) -> HaltedError:
    return HaltedError(
        f"halted by {broken}",
        hint="mend the cause, then run the same command again: the rest is pending, "
        "and that run judges its own rows",
    )
