"""A quota measured from one throttle to another: each is a moment at which it was used up."""

from __future__ import annotations

from typing import NamedTuple

ENOUGH = 40
"""Accepted calls between two posts that correct anything."""
LONGEST, MOST = 120.0, 4_000.0
"""Seconds, or calls' worth of them if that is longer, after which a fence begins anew."""
RISE_BLUR, BLUR, SHORT_BLUR, SHORT = 0.05, 0.02, 0.3, 5.0
"""Seconds that a window's ends put off a higher rate, and a lower one; more in a fence of five."""
ASKED = 0.98
"""The share of a held rate that has to have been asked for."""
LARGEST_CUT = 0.9


class Post(NamedTuple):
    """A throttle: when it happened, and how many calls had been let through by then.

    `saved` is how many the service may have had left all the same, if chance made the throttle.
    """

    at: float
    accepted: int
    saved: float = 0.0


class Fence:
    """Corrects what is believed of a quota.

    A service's bucket is empty whenever it throttles. So between two throttles, T seconds apart, it
    let through what came in meanwhile: quota = accepted / T, with a doubt of a call or two, of
    what the network bunched, and of the ends of a fixed window. What more it had saved, and lost
    since its bucket was full, makes the quota look smaller, never larger: a higher rate is
    believed as it is. A lower one is believed only if it is less than was asked for, by more than
    noise explains, and if calls were asked for at the rate.
    """

    def __init__(self) -> None:
        self.plant(None)

    @property
    def stands(self) -> bool:
        """Whether there is a first post."""
        return self._first is not None

    def plant(self, post: Post | None) -> None:
        """The first post; None to pull it out."""
        self._first = post
        self._throttled, self._left_out = 0, 0.0

    def count(self, *, throttled: bool) -> None:
        """An answer."""
        self._throttled += throttled

    def leave_out(self, calls: float) -> None:
        """So many calls less were asked for, on purpose."""
        self._left_out += calls

    def correct(
        self, quota: float, post: Post, *, held: float, bunched: float, noise: float
    ) -> float:
        """The quota in calls/s, given a throttle at `post`, where `held` calls/s were asked for.

        `bunched` is in calls, `noise` a share of them. A correction is a first post again.
        """
        if self._first is None or post.at - self._first.at > max(LONGEST, MOST / quota):
            self.plant(post)
            return quota
        seconds, calls = post.at - self._first.at, post.accepted - self._first.accepted
        if calls < ENOUGH or seconds <= 0.0:
            return quota
        rate, doubt = calls / seconds, 3 + 2 * bunched
        earned = rate - self._first.saved / seconds
        least = earned * (1 - (1 + bunched) / calls - RISE_BLUR / seconds)
        most = rate * (1 + doubt / calls + (SHORT_BLUR if seconds < SHORT else BLUR) / seconds)
        asked = calls + self._throttled + self._left_out + doubt
        is_less = most < held * (1 - noise) and asked >= ASKED * held * seconds
        if least <= quota and not is_less:
            return quota
        self.plant(post)
        return max(most, LARGEST_CUT * quota) if is_less else least
