"""Callers of a limiter, in virtual time."""

import asyncio
from random import Random

from provisioner.clock import VirtualClock
from provisioner.job import Outcome, Verdict
from provisioner.pacing import build_limiter
from provisioner.settings import PaceSettings

ACCEPTED = Outcome(verdict=Verdict.CREATED)
THROTTLED = Outcome(verdict=Verdict.RETRYABLE, throttled=True)
UNANSWERED = Outcome(verdict=Verdict.AMBIGUOUS, answered=False)


class LateClock(VirtualClock):
    """Timers fire up to `late` seconds late, as they do in a busy process."""

    def __init__(self, late):
        super().__init__()
        self.late = late
        self.random = Random(7)

    async def sleep(self, seconds):
        await super().sleep(seconds + self.random.uniform(0, self.late))


class World:
    def __init__(self, rate, *, burst=None, clock=None):
        self.clock = clock or VirtualClock()
        self.events = []
        self.limiter = build_limiter(
            PaceSettings(rate=rate, burst=burst), self.clock, self.events.append
        )
        self.taken = []

    async def caller(self, name, calls=1):
        for _ in range(calls):
            await self.limiter.take()
            await self.limiter.depart()
            self.taken.append((name, self.clock.monotonic()))

    def run(self, *callers):
        async def program():
            await asyncio.gather(*callers)

        self.clock.run(program())

    @property
    def names(self):
        return [name for name, _ in self.taken]

    @property
    def times(self):
        return [time for _, time in self.taken]
