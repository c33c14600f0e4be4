"""`python -m benchmarks.pacing.fixed`: how exactly a given rate is kept, by the real clock.

Each call has a jittered latency, and twice a second the event loop stalls for 5 ms. A line tells
the rate reached and the most calls by which any window exceeded rate x length, to be compared with
the burst.
"""

from __future__ import annotations

import asyncio
import time
from random import Random

import uvloop

from provisioner.clock import SystemClock
from provisioner.pacing import build_limiter
from provisioner.pacing.bucket import least_burst
from provisioner.settings import PaceSettings

RATES = (1.0, 5.0, 20.0, 49.0, 100.0, 500.0, 1000.0, 2000.0)
CALLERS = 128
STALL = 0.005


async def _stalls() -> None:
    while True:
        await asyncio.sleep(0.5)
        time.sleep(STALL)  # noqa: ASYNC251 - the loop is what it is to stall


async def _departures(rate: float, burst: int | None, seconds: float) -> list[float]:
    clock, random = SystemClock(), Random(1)
    limiter = build_limiter(PaceSettings(rate=rate, burst=burst), clock, lambda _: None)
    departed = list[float]()

    async def caller() -> None:
        while True:
            await limiter.take()
            await asyncio.sleep(0)
            await limiter.depart()
            departed.append(clock.monotonic())
            await asyncio.sleep(random.uniform(0.02, 0.05))

    tasks = [
        asyncio.ensure_future(each) for each in (_stalls(), *(caller() for _ in range(CALLERS)))
    ]
    await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    return departed


def most_above(times: list[float], rate: float) -> float:
    """The most calls by which any window exceeds `rate` times its length."""
    worst, least = 0.0, float("inf")
    for index, moment in enumerate(times):
        least = min(least, index - rate * moment)
        worst = max(worst, index + 1 - rate * moment - least)
    return worst


def main() -> None:
    """Measure and print."""
    print(f"{'asked':>8} {'burst':>6} {'reached':>9} {'off':>8} {'excess':>8}")
    for rate in RATES:
        for burst in (None, 1) if least_burst(rate) > 1 else (None,):
            times = uvloop.run(_departures(rate, burst, max(6.0, 20 / rate)))
            reached = (len(times) - 1) / (times[-1] - times[0])
            allowed = burst or least_burst(rate)
            off, excess = 100 * (reached / rate - 1), most_above(times, rate)
            print(f"{rate:8g} {allowed:6} {reached:9.2f} {off:+7.2f}% {excess:8.2f}")


if __name__ == "__main__":
    main()
