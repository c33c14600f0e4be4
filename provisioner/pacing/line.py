"""Callers in a line before a bucket; the first of them waits for all."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Self

import anyio

from provisioner.pacing.bucket import TokenBucket
from provisioner.ports import Clock

BACKLOG = 0.25
"""Seconds' worth of calls that may wait in the line ahead before this one pauses."""
LONGEST_AHEAD = 10.0
"""Seconds before its departure at which a call may be prepared at the earliest: intents age."""
SHORTEST_SLEEP = 0.002
"""Seconds. Timers of the loop count milliseconds; a bucket with a burst makes up for it."""
LAST_STEP = 0.0015
"""Seconds before a token from which on a bucket without a burst is watched."""
SHORTEST_STEP = 1e-6
LONGEST_SLEEP = 0.5
"""Seconds after which a waiting caller looks again, since the rate may have changed."""


class Line:
    """Callers who want tokens of a bucket: first come, first served, and cancellable.

    The first in line sleeps for all: when it wakes it wakes as many as there are tokens by then, so
    that a busy event loop, which wakes late, costs no throughput. Each takes its token once it runs
    itself, so that none leaves later than its token tells. `is_open` False holds everybody.

    `ahead` is a line through which callers go afterwards. While more than a quarter of a second's
    worth of calls wait there, or nobody could leave it for ten seconds, nobody is let through here.
    """

    def __init__(self, bucket: TokenBucket, clock: Clock, *, ahead: Self | None = None) -> None:
        self.is_open = True
        self._bucket = bucket
        self._clock = clock
        self._ahead = ahead
        self.places: deque[anyio.Event] = deque()

    async def take(self) -> None:
        """Return with a token; a cancelled caller costs none, and nobody behind waits for it."""
        if not self.places and self._token(self._clock.monotonic()) <= 0.0:
            return
        turn = anyio.Event()
        self.places.append(turn)
        try:
            if self.places[0] is not turn:
                await turn.wait()
            await self._wait_for_token()
        finally:
            self.places.remove(turn)
            self._wake()

    def set_rate(self, now: float, rate: float) -> None:
        """Go on at `rate` tokens/s; those who wait notice within half a second."""
        self._bucket.set_rate(now, rate)

    def leave_out(self, now: float, tokens: float) -> None:
        """Let so many tokens pass that nobody gets."""
        self._bucket.leave_out(now, tokens)

    def _token(self, now: float) -> float:
        """Take a token and return 0.0, or the seconds after which to look again."""
        bucket, ahead = self._bucket, self._ahead
        if not self.is_open:
            return LONGEST_SLEEP
        if ahead is not None:
            if ahead.places and len(ahead.places) > bucket.burst + BACKLOG * bucket.rate:
                return 1 / bucket.rate
            if (early := ahead.wait(now) - LONGEST_AHEAD) > 0.0:
                return early
        return bucket.take(now)

    def wait(self, now: float) -> float:
        """Seconds until one more caller could leave, at most 0.0 where one could now."""
        wait = self._bucket.wait(now)
        return wait + len(self.places) / self._bucket.rate if self.places else wait

    async def _wait_for_token(self) -> None:
        while (wait := self._token(self._clock.monotonic())) > 0.0:
            await self._clock.sleep(min(self._sleep_for(wait), LONGEST_SLEEP))

    def _sleep_for(self, wait: float) -> float:
        """A bucket without credit for lateness is met in two steps, the second one precise."""
        if self._bucket.burst > 1:
            return max(wait, SHORTEST_SLEEP)
        return max(wait - LAST_STEP if wait > LAST_STEP else wait, SHORTEST_STEP)

    def _wake(self) -> None:
        """Those whose tokens are there, and in any case the first."""
        ready = self._bucket.tokens(self._clock.monotonic())
        for turn in islice(self.places, max(ready, 1)):
            turn.set()
