"""How much is let through of too much, counted from the first throttle on."""

from __future__ import annotations

from provisioner.pacing.fence import Post
from provisioner.pacing.search import LULL, SENT

SECONDS = 1.0
ANSWERS, FEW_ANSWERS, SLOW = 20, 12, 8.0
"""Answers that make a measure; fewer below 8 calls/s."""
OVERWHELMED = 0.35
"""The throttled share above which measuring goes on at a lower rate."""
ABOVE = 1.1
"""Of what is let through: what measures it."""
NOISE = 0.01
"""The throttled share up to which nothing was throttled by the quota."""


class Measure:
    """The answers from a throttle on, which came when `top` calls/s were sent.

    `wild` says that `top` may be many times the quota, and that hardly anything is sent until the
    flight has landed. The flight's own answers then tell a first rate.
    """

    def __init__(self, now: float, top: float, throttle: Post, *, wild: bool) -> None:
        self.top = top
        self.wild = wild
        self.first = self.last = throttle
        self.throttled = 0
        self._flying = 0
        self._landed = self._is_sent = False
        self._restart(now)

    def _restart(self, now: float) -> None:
        self._since = now
        self._answers = self.throttled = 0

    def throttle(self, post: Post) -> None:
        """One more, whenever its call was sent."""
        self.last = post
        self._flying += 1

    def add(self, *, throttled: bool) -> None:
        """An answer to a call that was sent at the measuring rate."""
        self._answers += 1
        self.throttled += throttled

    def land(self, now: float, post: Post, rate: float) -> float | None:
        """The rate to go on at, when the first call sent at the measuring rate is answered."""
        if self._landed:
            return None
        self._landed = True
        self._restart(now)
        if not self.wild or post.at <= self.first.at:
            return None
        if self._flying < 3:  # noqa: PLR2004 - as many as noise might throttle
            return max(rate, self.top / 4)
        let_through = (post.accepted - self.first.accepted + 1) / (post.at - self.first.at)
        return min(max(ABOVE * let_through, self.top / 4), self.top / 2)

    def relief(self, now: float, post: Post, rate: float) -> float | None:
        """A lower rate to measure at, where too much is throttled; it begins anew there."""
        soon = 0.25 if self._answers >= ANSWERS else 0.5
        enough = self._answers >= FEW_ANSWERS - 4 and now - self._since > soon
        if not enough or self._share <= OVERWHELMED or rate <= self.top / 16:
            return None
        lower = max(rate / 4, self.top / 16, ABOVE * rate * (1 - self._share))
        self._restart(now)
        self.first = post
        return lower

    def is_done(self, now: float, post: Post, rate: float) -> bool:
        """Whether it is long enough, and was measured at the rate; begins anew after a lull."""
        seconds = now - self._since
        self._is_sent = self._answers >= SENT * rate * seconds
        # While nothing is throttled, calls that were not sent at the rate say nothing about it.
        if not self.throttled and not self._is_sent:
            if seconds > LULL:
                self._restart(now)
                self.first = post
            return False
        least = FEW_ANSWERS if rate < SLOW else ANSWERS
        return self._answers >= least and seconds >= SECONDS

    def quota(self, rate: float) -> float | None:
        """What it comes to in calls/s; None where `rate` was let through as a whole."""
        if self._share <= NOISE:
            return None
        seconds, calls = self.last.at - self.first.at, self.last.accepted - self.first.accepted
        # A pause between the two would make a quota look small.
        enough = seconds > SECONDS / 2 and calls >= 4  # noqa: PLR2004 - a quarter's precision
        fenced = enough and (self._is_sent or seconds < LULL)
        found = calls / seconds if fenced else rate * (1 - self._share)
        return min(max(found, rate / 4), rate)

    @property
    def _share(self) -> float:
        return self.throttled / self._answers if self._answers else 0.0
