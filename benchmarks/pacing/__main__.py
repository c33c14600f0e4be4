"""`python -m benchmarks.pacing`: the table of controllers, and a picture of the halving night.

Writes benchmarks/results/pacing.txt and docs/pacing.svg. A cell reads `use / throttles`: percent of
what the quota let through, another tenant's part left out, and throttles per 100 successes.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing import Pool
from pathlib import Path

from benchmarks.pacing.controls import Aimd, Cubic, Fixed, FullJitter, Learning
from benchmarks.pacing.drawing import drawn
from benchmarks.pacing.scenarios import (
    AN_HOUR_UP_TO,
    MINUTES,
    QUOTAS,
    THREE_MINUTES_FROM,
    scenarios,
)
from benchmarks.pacing.service import Quota, Scenario
from benchmarks.pacing.simulation import Control, Night, Simulation

CALLERS = 64
"""Of those that have no limiter, or whose SDK comes with one."""
OTHERS: dict[str, Callable[[float], Control]] = {
    "fixed 0.95": lambda rate: Fixed(0.95 * rate),
    "full jitter": lambda _: FullJitter(),
    "AIMD": lambda _: Aimd(),
    "CUBIC": lambda _: Cubic(),
}
TARGETS = {"cold": (98.0, 1.0), "warm": (99.0, 0.1), "moving": (95.0, 3.0)}
WIDTH = 17


def compared(scenario: Scenario) -> list[tuple[str, float, float]]:
    """Controller, use and throttles of all: ours cold, ours warm from that, and the others."""
    rate, each = scenario.quota.rate, range(scenario.clients)
    cold = [Learning() for _ in each]
    found = [("auto, cold", *_told(scenario, Simulation(scenario, list(cold)).run()))]
    known = cold[0].pace.learned if scenario.is_steady else rate / scenario.clients
    warm = Simulation(scenario, [Learning(known) for _ in each], seed=2).run()
    found.append(("auto, warm", *_told(scenario, warm)))
    for name, make in OTHERS.items():
        few = scenario if name.startswith(("fixed", "AIMD")) else _few(scenario)
        night = Simulation(few, [make(rate / scenario.clients) for _ in each]).run()
        found.append((name, *_told(scenario, night)))
    return found


def _few(scenario: Scenario) -> Scenario:
    return replace(scenario, connections=CALLERS)


def _told(scenario: Scenario, night: Night) -> tuple[float, float]:
    accepted = max(night.accepted, 1)
    use = 100 * night.accepted / (scenario.allowed() - night.by_tenant)
    return use, 100 * (night.sent - night.accepted) / accepted


def _met(scenario: Scenario, name: str, use: float, throttles: float) -> bool:
    wanted = name.removeprefix("auto, ") if scenario.is_steady else "moving"
    least, most = TARGETS.get(wanted, TARGETS["cold"])
    return round(use, 1) >= least and round(throttles, 2) < most


def _lines(nights: list[Scenario]) -> Iterator[str]:
    names = ("auto, cold", "auto, warm", *OTHERS)
    yield f"{'':26}" + "".join(f"{name:>{WIDTH}}" for name in names)
    with Pool(os.cpu_count()) as pool:
        for scenario, found in zip(nights, pool.imap(compared, nights), strict=True):
            cells = (
                f"{use:.1f} / {thr:.2f}" + (" " if _met(scenario, name, use, thr) else "*")
                for name, use, thr in found
            )
            minutes = f"{scenario.seconds / 60:.0f} min"
            label = f"{scenario.quota.rate:g}/s {scenario.name}"
            yield f"{label:19}{minutes:>7}" + "".join(f"{cell:>{WIDTH}}" for cell in cells)


def _nights(quotas: list[float]) -> list[Scenario]:
    nights = [each for quota in quotas for each in scenarios(quota, _seconds(quota))]
    slow = [quota for quota in quotas if quota <= AN_HOUR_UP_TO]
    return nights + [each for quota in slow for each in scenarios(quota, 60 * MINUTES)]


def _seconds(quota: float) -> float:
    return (3 if quota >= THREE_MINUTES_FROM else 10) * MINUTES


def main() -> None:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quotas", type=float, nargs="+", default=list(QUOTAS))
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results/pacing.txt"))
    parser.add_argument("--picture", type=Path, default=Path("docs/pacing.svg"))
    options = parser.parse_args()
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    halving = Scenario(
        name="", quota=Quota(rate=50.0, burst=50.0), seconds=600.0, moves=((300.0, 0.5),)
    )
    options.picture.write_text(drawn(Simulation(halving, [Learning()]).run().rates), "utf-8")
    lines = [
        *(__doc__ or "").strip().splitlines()[2:],
        "A star marks a cell that misses the target for auto on such a night: 98 / 1 cold,",
        "99 / 0.1 warm, 95 / 3 where the quota moves or is shared. Warm starts at what the cold",
        "night learned; on a moving night at the quota. The hour is for slow quotas: few calls;",
        "three minutes of the fastest are as many calls as an hour of 50/s.",
        "",
    ]
    for line in lines:
        print(line)
    for line in _lines(_nights(options.quotas)):
        print(line, flush=True)
        lines.append(line)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    options.results.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
