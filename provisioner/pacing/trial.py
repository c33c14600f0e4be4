"""What became of the calls sent at one rate."""

from __future__ import annotations

SENT = 0.7
"""The share of a rate that has to be sent before its acceptance allows it."""


class Trial:
    """The answers to calls sent from `since` on. Older calls, at another rate, say nothing here.

    `calm` counts the answers since the last throttle. Times are seconds on the clock of the pace.
    """

    __slots__ = ("_last", "answers", "calm", "rate", "since", "throttled")

    def __init__(self, since: float, rate: float) -> None:
        self.since = since
        self.rate = rate
        self.answers = self.throttled = self.calm = 0
        self._last = since

    def add(self, sent_at: float, *, throttled: bool) -> None:
        """Count one answer."""
        self.answers += 1
        self.throttled += throttled
        self.calm = 0 if throttled else self.calm + 1
        self._last = max(self._last, sent_at)

    def forget(self) -> None:
        """Count anew, while time goes on."""
        self.answers = self.throttled = self.calm = 0

    @property
    def seconds(self) -> float:
        """How long calls were sent whose answers are here."""
        return self._last - self.since

    @property
    def share(self) -> float:
        """Throttled, of all answers; 0 to 1."""
        return self.throttled / self.answers if self.answers else 0.0

    @property
    def accepted_rate(self) -> float:
        """Calls/s that were let through, given that calls were sent at the rate."""
        return self.rate * (1 - self.share)

    @property
    def is_sent(self) -> bool:
        """Whether calls were sent at the rate, not held up by something else."""
        return self.answers >= SENT * self.rate * self.seconds
