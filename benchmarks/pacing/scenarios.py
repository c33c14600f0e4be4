"""The nights that the controllers are compared over."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from benchmarks.pacing.service import Quota, Scenario

QUOTAS = (2.0, 5.0, 20.0, 50.0, 200.0, 1000.0)
MINUTES = 60.0
AN_HOUR_UP_TO = 20.0
THREE_MINUTES_FROM = 1000.0


def scenarios(quota: float, seconds: float, seed: int = 0) -> Iterator[Scenario]:
    """Steady ones and moving ones at this quota, in calls/s; a seed shifts the moves."""
    shift = Random(seed).uniform(0.95, 1.05) if seed else 1.0
    a_second = Quota(rate=quota, burst=max(2.0, quota))
    yield _steady("burst 0.1 s", Quota(rate=quota, burst=max(2.0, quota / 10)), seconds)
    yield _steady("burst 1 s", a_second, seconds)
    yield _steady("burst 5 s", Quota(rate=quota, burst=5 * quota), seconds)
    yield _steady("window 1 s", Quota(rate=quota, window=1.0), seconds)
    yield _steady("20 ms", a_second, seconds, latency=0.02)
    yield _steady("400 ms", a_second, seconds, latency=0.4)
    yield _steady("noise 0.2 %", a_second, seconds, noise=0.002)
    half, from_, until = (shift * share * seconds for share in (0.5, 0.3, 0.6))
    yield _moving("halves", a_second, seconds, moves=((half, 0.5),))
    yield _moving("doubles", a_second, seconds, moves=((half, 2.0),))
    yield _moving("tenant 30 %", a_second, seconds, tenant=(from_, until, 0.3))
    yield _moving("two clients", a_second, seconds, clients=2)


def _steady(name: str, quota: Quota, seconds: float, **others: float) -> Scenario:
    return Scenario(name=name, quota=quota, seconds=seconds, **others)  # type: ignore[arg-type]


def _moving(name: str, quota: Quota, seconds: float, **others: object) -> Scenario:
    return Scenario(name=name, quota=quota, seconds=seconds, is_steady=False, **others)  # type: ignore[arg-type]
