"""`python -m benchmarks.pacing.fixed`: how exactly a given rate is kept, by the real clock.

Writes benchmarks/results/fixed_rate.txt. Each call has a jittered latency, and about twice a second
the event loop stalls for 5 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from bisect import bisect_right
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import NamedTuple

import uvloop

from benchmarks.machine import described
from provisioner.clock import SystemClock
from provisioner.pacing import build_limiter
from provisioner.pacing.bucket import least_burst
from provisioner.settings import PaceSettings

RESULT = Path(__file__).parents[1] / "results/fixed_rate.txt"
RATES = (1.0, 5.0, 20.0, 49.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)
CALLERS = 128
STALL = 0.005
STALL_EVERY = (0.3, 0.7)
"""Seconds, evenly between; a fixed period would fall in with a rate's own."""
DISTURBED = 0.001
"""Seconds. Nothing that the loop does here takes as long: a call later than this waited for the
machine."""
ROUNDS = 3
LEGEND = f"""\
A given rate, kept by the real clock: {CALLERS} callers, 20 to 50 ms of latency, and about
twice a second a stall of the event loop of {STALL * 1000:g} ms. `off` is the rate reached \
against the rate asked; then
what of it was lost, in percent: to `stalls` (what no burst makes up for: arithmetic, from when
they began and ended), to the `machine` (the same for calls more than {DISTURBED * 1000:g} ms \
late without a stall: the
process did not run) and to the limiter. `excess` is the most calls by which any window of any
length exceeded rate x length: the promise is `burst`, and what is above it was held up by the
machine between its token and its departure. Of {ROUNDS} rounds the one that the machine disturbed
least. A burst of 1 watches the clock and never rests: where others want its core, the kernel gives
them 5 % of it even under `chrt -f 1`.
"""


class Round(NamedTuple):
    """What came of one rate: shares of the time or of the rate, and calls."""

    reached: float
    off: float
    stalls: float
    machine: float
    excess: float

    @property
    def limiter(self) -> float:
        """The share lost to neither stalls nor the machine."""
        return -self.off - self.stalls - self.machine


async def _stall(stalls: list[tuple[float, float]]) -> None:
    random = Random(2)
    while True:
        await asyncio.sleep(random.uniform(*STALL_EVERY))
        began = time.monotonic()
        time.sleep(STALL)  # noqa: ASYNC251 - the loop is what it is to stall
        stalls.append((began, time.monotonic()))


async def _departures(
    rate: float, burst: int | None, seconds: float
) -> tuple[list[float], list[tuple[float, float]]]:
    """When calls left, and when the loop stalled from and until."""
    clock, random = SystemClock(), Random(1)
    limiter = build_limiter(PaceSettings(rate=rate, burst=burst), clock, lambda _: None)
    departed, stalls = list[float](), list[tuple[float, float]]()

    async def caller() -> None:
        while True:
            await limiter.take()
            await asyncio.sleep(0)
            await limiter.depart()
            departed.append(clock.monotonic())
            await asyncio.sleep(random.uniform(0.02, 0.05))

    callers = (caller() for _ in range(CALLERS))
    tasks = [asyncio.ensure_future(each) for each in (_stall(stalls), *callers)]
    await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    return departed, stalls


def most_above(times: list[float], rate: float) -> float:
    """The most calls by which any window exceeds `rate` times its length."""
    worst, least = 0.0, float("inf")
    for index, moment in enumerate(times):
        least = min(least, index - rate * moment)
        worst = max(worst, index + 1 - rate * moment - least)
    return worst


def _lost_to_stalls(
    times: list[float], stalls: list[tuple[float, float]], rate: float, slack: float
) -> float:
    """Seconds by which the next call was due before the end of a stall, beyond the slack."""
    lost = 0.0
    for began, ended in stalls:
        last = bisect_right(times, began) - 1
        if 0 <= last < len(times) - 1:
            lost += max(0.0, ended - max(times[last] + 1 / rate, began) - slack)
    return lost


def _late(times: list[float], rate: float, slack: float) -> float:
    """Seconds lost to calls that were late by more than the loop alone makes them."""
    late = (later - earlier - 1 / rate - slack for earlier, later in pairwise(times))
    return sum(each for each in late if each > DISTURBED)


def measured(rate: float, burst: int | None) -> Round:
    """One round at `rate` calls/s."""
    times, stalls = uvloop.run(_departures(rate, burst, max(6.0, 20 / rate)))
    length = times[-1] - times[0]
    reached = (len(times) - 1) / length
    slack = ((burst or least_burst(rate)) - 1) / rate
    stalled = _lost_to_stalls(times, stalls, rate, slack)
    return Round(
        reached=reached,
        off=reached / rate - 1,
        stalls=stalled / length,
        machine=max(0.0, _late(times, rate, slack) - stalled) / length,
        excess=most_above(times, rate),
    )


def _lines() -> list[str]:
    head = ("asked", "burst", "reached", "off", "stalls", "machine", "limiter", "excess")
    lines = ["".join(f"{each:>9}" for each in head)]
    for rate in RATES:
        for burst in (None, 1) if least_burst(rate) > 1 else (None,):
            best = min((measured(rate, burst) for _ in range(ROUNDS)), key=lambda it: it.machine)
            shares = (best.off, best.stalls, best.machine, best.limiter)
            lines.append(
                f"{rate:9g}{burst or least_burst(rate):9}{best.reached:9.2f}"
                + "".join(f"{100 * each:+8.2f}%" for each in shares)
                + f"{best.excess:9.2f}"
            )
            print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--result", type=Path, default=RESULT, help="default: %(default)s")
    result: Path = parser.parse_args().result
    fifo = " under chrt -f" if os.sched_getscheduler(0) == os.SCHED_FIFO else ""
    lines = _lines()
    text = "\n".join([LEGEND, *lines, "", f"Measured{fifo} on {described()}", ""])
    result.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
