"""Callers in a line before a bucket; the first of them waits for all."""

from __future__ import annotations

from collections import deque
from typing import Self

import anyio

from provisioner.pacing.bucket import TokenBucket
from provisioner.ports import Clock

BACKLOG = 0.25
"""Seconds' worth of calls that may wait in the line ahead before this one pauses."""
SHORTEST_SLEEP = 0.002
"""Seconds. Timers of the loop count milliseconds; a bucket with a burst makes up for it."""
LAST_STEP = 0.0015
"""Seconds before a token from which on a bucket without a burst is watched."""
SHORTEST_STEP = 1e-6
LONGEST_SLEEP = 0.5
"""Seconds after which a waiting caller looks again, since the rate may have changed."""


class _Place:
    """A caller's place in the line; `turn` tells it to look: it has a token, or it is first."""

    __slots__ = ("has_token", "turn")

    def __init__(self) -> None:
        self.turn = anyio.Event()
        self.has_token = False


class Line:
    """Callers who want tokens of a bucket: first come, first served, and cancellable.

    The first in line sleeps for all: when it wakes it hands out every token there is by then, so
    that a busy event loop, which wakes late, costs no throughput. `is_open` False holds everybody.

    `ahead` is a line through which callers go afterwards. While more than a quarter of a second's
    worth of calls wait there, nobody is let through here.
    """

    def __init__(self, bucket: TokenBucket, clock: Clock, *, ahead: Self | None = None) -> None:
        self.is_open = True
        self._bucket = bucket
        self._clock = clock
        self._ahead = ahead
        self._places: deque[_Place] = deque()

    def __len__(self) -> int:
        return len(self._places)

    async def take(self) -> None:
        """Return with a token; a cancelled caller costs none, and nobody behind waits for it."""
        if not self._places and self._token(self._clock.monotonic()) <= 0.0:
            return
        place = _Place()
        self._places.append(place)
        try:
            if self._places[0] is not place:
                await place.turn.wait()
            if not place.has_token:
                await self._wait_for_token()
        except BaseException:
            self._leave(place)
            raise
        if not place.has_token:
            self._places.popleft()
            self._hand_out()

    def set_rate(self, now: float, rate: float) -> None:
        """Go on at `rate` tokens/s; those who wait notice within half a second."""
        self._bucket.set_rate(now, rate)

    def _token(self, now: float) -> float:
        """Take a token and return 0.0, or the seconds after which to look again."""
        bucket = self._bucket
        if not self.is_open:
            return LONGEST_SLEEP
        if self._ahead and len(self._ahead) > bucket.burst + BACKLOG * bucket.rate:
            return 1 / bucket.rate
        return bucket.take(now)

    async def _wait_for_token(self) -> None:
        while (wait := self._token(self._clock.monotonic())) > 0.0:
            await self._clock.sleep(min(self._sleep_for(wait), LONGEST_SLEEP))

    def _sleep_for(self, wait: float) -> float:
        """A bucket without credit for lateness is met in two steps, the second one precise."""
        if self._bucket.burst > 1:
            return max(wait, SHORTEST_SLEEP)
        return max(wait - LAST_STEP if wait > LAST_STEP else wait, SHORTEST_STEP)

    def _hand_out(self) -> None:
        now = self._clock.monotonic()
        while self._places and self._token(now) <= 0.0:
            place = self._places.popleft()
            place.has_token = True
            place.turn.set()
        self._wake_first()

    def _leave(self, place: _Place) -> None:
        if place.has_token:
            self._bucket.put_back()
            return
        self._places.remove(place)
        self._wake_first()

    def _wake_first(self) -> None:
        if self._places:
            self._places[0].turn.set()
