"""Many nights on every core, added up."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing import get_context

import msgspec

from tests.simulation.night import Night, simulate
from tests.simulation.scenario import crashing, scenario

SEEDS_AT_ONCE = 25
EVERY_STEP_JOBS = (1, 3)


class Totals(msgspec.Struct, kw_only=True):
    """What many nights came to together."""

    counts: Counter[str] = msgspec.field(default_factory=Counter)
    faults: Counter[str] = msgspec.field(default_factory=Counter)
    broken: list[tuple[str, list[str]]] = msgspec.field(default_factory=list)
    seconds: float = 0.0

    def add(self, replay: str, night: Night) -> None:
        """One more; `replay` are the arguments that run it again."""
        self.faults.update(night.faults)
        self.counts.update(
            nights=1,
            jobs=night.states.total(),
            calls=night.calls,
            processes=night.lives,
            crashes=night.crashes,
            ambiguous=night.ambiguous,
            settled_while_others_were_sent=night.settled_beside,
            steps=sum(night.steps),
            violations=len(night.violations),
        )
        self.counts.update({f"rows {state}": count for state, count in night.states.items()})
        if night.violations:
            self.broken.append((replay, night.violations))

    def merge(self, other: Totals) -> None:
        """All of another's."""
        self.counts.update(other.counts)
        self.faults.update(other.faults)
        self.broken += other.broken


def nights(seeds: Sequence[int]) -> Totals:
    """The nights of some seeds, one after the other."""
    totals = Totals()
    for seed in seeds:
        totals.add(f"--seed {seed}", simulate(scenario(seed)))
    return totals


def every_step(seeds: Sequence[int]) -> Totals:
    """Small nights, cut dead at each of their steps in turn."""
    totals = Totals()
    for seed in seeds:
        calm = crashing(seed, None, EVERY_STEP_JOBS)
        steps = simulate(calm).steps[0]
        for step in range(1, steps + 1):
            night = simulate(crashing(seed, step, EVERY_STEP_JOBS))
            totals.add(f"--seed {seed} --crash-at {step}", night)
    return totals


def on_every_core(kind: str, seeds: range) -> Iterator[Totals]:
    """Totals, growing; the last is of all seeds. `kind` is `nights` or `every_step`."""
    work = {"nights": nights, "every_step": every_step}[kind]
    began = time.monotonic()
    totals = Totals()
    with get_context("fork").Pool(os.cpu_count()) as pool:
        for part in pool.imap_unordered(work, _batches(seeds)):
            totals.merge(part)
            totals.seconds = time.monotonic() - began
            yield totals


def _batches(seeds: range) -> Iterable[Sequence[int]]:
    return [seeds[at : at + SEEDS_AT_ONCE] for at in range(0, len(seeds), SEEDS_AT_ONCE)]


def as_text(totals: Totals) -> str:
    """The table, in Markdown."""
    counts = totals.counts
    done = counts["nights"]
    rows = [(name, f"{count:,}") for name, count in counts.items() if name != "violations"]
    rows += [(f"fault: {name}", f"{count:,}") for name, count in totals.faults.most_common()]
    rows.append(("nights/s", f"{done / totals.seconds:.0f}" if totals.seconds else "-"))
    rows.append(("**violations**", f"**{counts['violations']}**"))
    if not totals.broken and done:
        rows.append(("chance of a bad night, 95 %", f"< 3/{done:,} = {3 / done:.2g}"))
    return "\n".join(["| | |", "|---|---:|", *(f"| {name} | {value} |" for name, value in rows)])
