"""What a rate that somebody knew would have reached: a bound for controls of the rate alone."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from benchmarks.pacing.service import Gate, Scenario

SHARES = (
    *(0.90, 0.92, 0.94, 0.95, 0.96, 0.97, 0.975, 0.98, 0.985, 0.9875, 0.99, 0.9925, 0.995),
    *(0.9975, 1.0, 1.0025, 1.005, 1.0075, 1.01),
)
"""Of the quota: the rates tried."""
CALLS = 30_000.0
"""A night of so many calls tells."""


def frontier(scenario: Scenario, limits: tuple[float, ...]) -> list[float | None]:
    """The best use in percent with less than each of the limits of throttles per 100 successes.

    A rate counts as keeping a limit when its two neighbours keep it too: nobody knows a quota to
    the last digit, and exactly a whole number of calls a window is a knife's edge.
    """
    found = [_kept(scenario, share) for share in SHARES]
    worst = [max(a[1], b[1], c[1]) for (a, b), (_, c) in pairwise(pairwise(found))]
    uses = [use for use, _ in found[1:-1]]
    return [
        max((use for use, most in zip(uses, worst, strict=True) if most < limit), default=None)
        for limit in limits
    ]


def _kept(scenario: Scenario, share: float) -> tuple[float, float]:
    """Use and throttles of one fixed rate, those that noise made left out."""
    random, gate = Random(7), Gate(scenario.quota)
    rate = share * scenario.quota.rate
    seconds = min(scenario.seconds, CALLS / scenario.quota.rate)
    sent = (call / rate for call in range(int(seconds * rate)))
    arrivals = sorted(at + scenario.round_trip(random) / 2 for at in sent)
    arrivals = [at for at in arrivals if random.random() >= scenario.noise]
    accepted = sum(gate.admit(at) for at in arrivals)
    use = 100 * accepted / (seconds * scenario.quota.rate)
    return use, 100 * (len(arrivals) - accepted) / accepted
