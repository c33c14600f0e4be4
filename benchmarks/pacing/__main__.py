"""`python -m benchmarks.pacing`: the table of controllers, and a picture of the halving night.

Writes benchmarks/results/pacing.txt and docs/pacing.svg. A cell reads `use / throttles`: percent of
what the quota let through, another tenant's part left out, and throttles per 100 successes. On the
nights with noise those that the quota made are counted, not those that the noise made. Cells of
`auto` are medians over seeds, which also shift the moments of the moves; the others' are one night.
Seeds 100 to 104 and 300 to 304 were used to tune the controller, and are not used here.

`*` marks a cell of `auto` that misses its target: 98 / 1 cold, 99 / 0.1 warm, 95 / 3 where the
quota moves or is shared. `b` marks one that misses it where, by the column `bound`, every fixed
rate misses it too, be the quota known to a quarter of a percent: there it reads the best use of
such a rate with less than 1 and less than 0.1 throttles. Warm starts at what the cold night
learned; on a moving night at the quota.

A night has enough calls to be a campaign: an hour up to 20/s, 10 minutes at 50 and 200/s, 3 at
1,000/s. The slow quotas' first 10 minutes follow, for what they tell: at 2/s they are 1,200 calls,
of which a warm start may have one throttled, and one that looked for a quota twice as high every
45 seconds would have thirteen. Even in the hour there it may have seven, that is a look every nine
minutes, and has 270 seconds to find a quota that doubled.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.pacing.controls import Aimd, Cubic, Fixed, FullJitter, Learning
from benchmarks.pacing.drawing import drawn
from benchmarks.pacing.frontier import frontier
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
SEEDS = (1, 2, 3)
WARM = 10
"""Added to a seed for the night after."""
WIDTH = 17


class Told(NamedTuple):
    """Use in percent, and throttles per 100 successes."""

    use: float
    throttles: float

    def __str__(self) -> str:
        return f"{self.use:.1f} / {self.throttles:.{3 if self.throttles < 1 else 2}f}"


class Row(NamedTuple):
    """A kind of night: its first, what `auto` made of it cold and warm, the bound, others."""

    night: Scenario
    cold: Told
    warm: Told
    bound: list[float | None]
    others: list[Told]


def compared(nights: Sequence[Scenario], *, seeds: Sequence[int]) -> Row:
    """One row, of one night for each seed."""
    both = [_learned(night, seed) for night, seed in zip(nights, seeds, strict=True)]
    cold, warm = (_median(each) for each in zip(*both, strict=True))
    first = nights[0]
    limits = (TARGETS["cold"][1], TARGETS["warm"][1])
    bound = frontier(first, limits) if first.is_steady else []
    return Row(first, cold, warm, bound, [_other(first, name) for name in OTHERS])


def _learned(scenario: Scenario, seed: int) -> tuple[Told, Told]:
    each = range(scenario.clients)
    cold = [Learning() for _ in each]
    first = _told(scenario, Simulation(scenario, list(cold), seed).run())
    rate = scenario.quota.rate / scenario.clients
    known = cold[0].pace.learned if scenario.is_steady else rate
    warm = Simulation(scenario, [Learning(known) for _ in each], seed + WARM).run()
    return first, _told(scenario, warm)


def _other(scenario: Scenario, name: str) -> Told:
    few = scenario if name.startswith(("fixed", "AIMD")) else replace(scenario, connections=CALLERS)
    rate = scenario.quota.rate / scenario.clients
    controls = [OTHERS[name](rate) for _ in range(scenario.clients)]
    return _told(scenario, Simulation(few, controls).run())


def _told(scenario: Scenario, night: Night) -> Told:
    accepted = max(night.accepted, 1)
    use = 100 * night.accepted / (scenario.allowed() - night.by_tenant)
    return Told(use, 100 * (night.sent - night.accepted - night.noise) / accepted)


def _median(told: Sequence[Told]) -> Told:
    return Told(*(median(values) for values in zip(*told, strict=True)))


def _met(told: Told, kind: str) -> bool:
    least, most = TARGETS[kind]
    return round(told.use, 1) >= least and told.throttles < most


def mark(row: Row, start: str) -> str:
    """Whether the cell of a cold or warm `start` meets its target, or could."""
    kind = start if row.night.is_steady else "moving"
    if _met(row.cold if start == "cold" else row.warm, kind):
        return " "
    best = row.bound[start == "warm"] if row.bound else TARGETS[kind][0]
    return "*" if best is not None and round(best, 1) >= TARGETS[kind][0] else "b"


def line_of(row: Row) -> str:
    """As it is printed."""
    night = row.night
    label = f"{night.quota.rate:g}/s {night.name}"
    bound = "/".join("-" if best is None else f"{best:.1f}" for best in row.bound)
    cells = [str(cell) for cell in (row.cold, row.warm, *row.others)]
    marks = [mark(row, "cold"), mark(row, "warm"), *(" " for _ in row.others)]
    ours, others = zip(cells, marks, strict=True), ""
    texts = [f"{cell + marked:>{WIDTH}}" for cell, marked in ours]
    others = "".join(texts[2:])
    return (
        f"{label:19}{night.seconds / 60:>3.0f} min{texts[0]}{texts[1]}{bound:>12}{others}".rstrip()
    )


def _lines(rows: list[list[Scenario]], seeds: Sequence[int]) -> Iterator[str]:
    names = "".join(f"{name:>{WIDTH}}" for name in OTHERS)
    cold, warm = (f"{name:>{WIDTH}}" for name in ("auto, cold", "auto, warm"))
    yield f"{'':26}{cold}{warm}{'bound':>12}{names}"
    counts = dict.fromkeys(((kind, m) for kind in TARGETS for m in " *b"), 0)
    with Pool(os.cpu_count()) as pool:
        for row in pool.imap(partial(compared, seeds=seeds), rows):
            yield line_of(row)
            if row.night.seconds == _seconds(row.night.quota.rate):
                for start in ("cold", "warm"):
                    kind = start if row.night.is_steady else "moving"
                    counts[kind, mark(row, start)] += 1
    yield ""
    for kind in TARGETS:
        met, missed, bound = (counts[kind, each] for each in " *b")
        total = met + missed + bound
        yield f"{kind}: {met} of {total} met, {missed} missed, {bound} beyond the bound"


def _nights(quotas: list[float], seeds: Sequence[int]) -> list[list[Scenario]]:
    full = [(quota, _seconds(quota)) for quota in quotas]
    short = [(quota, 10 * MINUTES) for quota in quotas if quota <= AN_HOUR_UP_TO]
    return [
        list(nights)
        for quota, seconds in full + short
        for nights in zip(*(scenarios(quota, seconds, seed) for seed in seeds), strict=True)
    ]


def _seconds(quota: float) -> float:
    if quota <= AN_HOUR_UP_TO:
        return 60 * MINUTES
    return (3 if quota >= THREE_MINUTES_FROM else 10) * MINUTES


def main() -> None:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quotas", type=float, nargs="+", default=list(QUOTAS))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results/pacing.txt"))
    parser.add_argument("--picture", type=Path, default=Path("docs/pacing.svg"))
    options = parser.parse_args()
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    halving = Scenario(
        name="", quota=Quota(rate=50.0, burst=50.0), seconds=600.0, moves=((300.0, 0.5),)
    )
    options.picture.write_text(drawn(Simulation(halving, [Learning()]).run().rates), "utf-8")
    lines = [*(__doc__ or "").strip().splitlines()[2:], f"Seeds: {options.seeds}.", ""]
    print("\n".join(lines))
    for line in _lines(_nights(options.quotas, options.seeds), options.seeds):
        print(line, flush=True)
        lines.append(line)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    options.results.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
