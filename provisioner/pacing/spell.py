"""How long a believed quota is held between two probes: as long as their throttles cost."""

from __future__ import annotations

SHARED, CURIOUS, CONFIDENT = 0.015, 0.004, 0.0005
"""Throttles that looking for more may cost, to a call let through."""
LONGEST = 640.0
"""Seconds between two probes."""
HEAD_START = 0.98
"""Of the first spell: what is known may be out of date."""
SUDDEN, SHARED_SUDDEN = 1.4, 2.4
"""Throttles of late, besides 8 % of all, that show a quota to have moved; or moved once more."""
NOISE, CURIOUS_NOISE, SHARED_NOISE = 0.003, 0.004, 0.06
"""The share that may be throttled at a rate that is right: by chance, by windows, by a tenant."""
WEIGHT = 0.25
"""Of the newest probe in the running mean of what they cost."""


class Spell:
    """The budget of throttles, and what is known of the quota's owner: confident, curious, shared.

    A quota that moved although a probe had settled it is shared with another tenant, until a spell
    passes without a throttle.
    """

    def __init__(self, *, is_known: bool) -> None:
        self._budget = CONFIDENT if is_known else CURIOUS
        self._passed = HEAD_START
        self._cost = 1.0
        self._throttled = 0
        self._is_shared = self._is_settled = self._is_probed = False

    @property
    def sudden(self) -> float:
        """Throttles of late that show the quota to have moved."""
        return SHARED_SUDDEN if self._is_shared else SUDDEN

    @property
    def noise(self) -> float:
        """The share throttled that shows nothing."""
        if self._is_shared:
            return SHARED_NOISE
        return NOISE if self._budget == CONFIDENT else CURIOUS_NOISE

    def begin(self) -> None:
        """At the held rate."""
        self._passed, self._throttled = 0.0, 0

    def count(self, *, throttled: bool) -> None:
        """An answer, whatever its call was sent for."""
        self._throttled += throttled

    def is_over(self, seconds: float) -> bool:
        """Count a call let through at the held rate, and the seconds it took."""
        self._passed += max(self._budget / self._cost, seconds / LONGEST)
        if self._passed < 1.0:
            return False
        if self._is_shared and not self._throttled:
            self._is_shared, self._budget = False, CURIOUS
        return True

    def probe(self) -> None:
        """A probe begins."""
        self._throttled = 0

    def refuse(self, *, is_typical: bool) -> None:
        """A probe was refused, `is_typical` if it was one like those to come."""
        self._is_probed = is_typical
        if is_typical:
            self._is_settled = True
            self._cost = max(1.0, self._cost + WEIGHT * (self._throttled - self._cost))

    def charge(self) -> None:
        """A throttle that was on its way when the probe was refused."""
        self._cost += WEIGHT * self._is_probed

    def land(self) -> None:
        """Nothing of the probe is on its way any more."""
        self._is_probed = False

    def fall(self) -> None:
        """The quota seems to be smaller."""
        if self._is_settled:
            self._is_shared, self._budget = True, SHARED
        self._is_settled = False

    def rise(self) -> None:
        """The quota is larger."""
        self._budget, self._is_shared = CURIOUS, False
