"""The service's own limits on requests, and a gauge of what arrived. Time is an argument."""

from __future__ import annotations

from collections import deque

from provisioner.emulator.settings import Quota

_ROUNDING = 1e-9


class TokenBucket:
    """At most `burst + rate * seconds` requests in any stretch of time, kept as GCRA.

    The one number of state is the theoretical arrival time of the next request.
    """

    def __init__(self, quota: Quota) -> None:
        self._interval = 1 / quota.rate
        self._tolerance = (quota.burst - 1) * self._interval + _ROUNDING
        self._arrival = float("-inf")

    def admit(self, now: float) -> bool:
        """Whether a request at `now` is within the quota; one that is not costs nothing."""
        if self._arrival - now > self._tolerance:
            return False
        self._arrival = max(self._arrival, now) + self._interval
        return True


class FixedWindow:
    """At most `rate * window` requests in each aligned window."""

    def __init__(self, quota: Quota) -> None:
        self._seconds = quota.window or 1.0
        self._limit = int(quota.rate * self._seconds + _ROUNDING)
        self._window = 0
        self._count = 0

    def admit(self, now: float) -> bool:
        """Whether a request at `now` is within the quota; one that is not costs nothing."""
        window = int(now // self._seconds)
        if window != self._window:
            self._window, self._count = window, 0
        if self._count >= self._limit:
            return False
        self._count += 1
        return True


class QuotaGate:
    """One limit for each operation, as the service counts them."""

    def __init__(self, quota: Quota | None) -> None:
        self.quota = quota
        self._limits: dict[str, TokenBucket | FixedWindow] = {}

    def admit(self, operation: str, now: float) -> bool:
        """Whether this operation may be called now."""
        if self.quota is None:
            return True
        limit = self._limits.get(operation)
        if limit is None:
            make = FixedWindow if self.quota.window else TokenBucket
            limit = self._limits[operation] = make(self.quota)
        return limit.admit(now)


class PeakRate:
    """The most requests seen in any second."""

    def __init__(self) -> None:
        self.peak = 0
        self._recent: deque[float] = deque()

    def note(self, now: float) -> None:
        """A request arrived."""
        recent = self._recent
        recent.append(now)
        while recent[0] <= now - 1.0:
            recent.popleft()
        self.peak = max(self.peak, len(recent))
