"""Many nights on every core, added up."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from tests.simulation.cores import every_core
from tests.simulation.night import Night, simulate
from tests.simulation.scenario import crashing, losing, scenario

SEEDS_AT_ONCE = 25
EVERY_STEP_JOBS = (1, 3)


class Totals(msgspec.Struct, kw_only=True):
    """What many nights came to together."""

    counts: dict[str, int] = msgspec.field(default_factory=dict)
    faults: dict[str, int] = msgspec.field(default_factory=dict)
    broken: list[tuple[str, list[str]]] = msgspec.field(default_factory=list)
    seconds: float = 0.0

    def add(self, replay: str, night: Night) -> None:
        """One more; `replay` are the arguments that run it again."""
        counts = Counter(
            nights=1,
            rows=night.rows.total(),
            calls=night.calls,
            processes=night.lives,
            crashes=night.crashes,
            ambiguous=night.ambiguous,
            settled_while_others_were_sent=night.settled_beside,
            crossings=sum(night.steps),
            violations=len(night.violations),
        )
        counts.update({f"rows {file}": count for file, count in night.rows.items()})
        broken = [(replay, night.violations)] if night.violations else []
        self.merge(Totals(counts=counts, faults=night.faults, broken=broken))

    def merge(self, other: Totals) -> None:
        """All of another's."""
        self.counts = _sum(self.counts, other.counts)
        self.faults = _sum(self.faults, other.faults)
        self.broken += other.broken
        self.seconds += other.seconds


def _sum(some: dict[str, int], others: dict[str, int]) -> dict[str, int]:
    return {each: some.get(each, 0) + others.get(each, 0) for each in some | others}


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


def losses(seeds: Sequence[int]) -> Totals:
    """Nights whose ledger is lost, made anew and filled from what is at the service."""
    totals = Totals()
    for seed in seeds:
        totals.add(f"--seed {seed} --lost", simulate(losing(seed)))
    return totals


KINDS = {"nights": nights, "every_step": every_step, "losses": losses}


def on_every_core(kind: str, seeds: range) -> Iterator[tuple[int, Totals]]:
    """Each batch, in order: how many seeds are done with it, and what it came to."""
    with every_core() as pool:
        batches = [seeds[at : at + SEEDS_AT_ONCE] for at in range(0, len(seeds), SEEDS_AT_ONCE)]
        began = time.monotonic()
        for batch, part in zip(batches, pool.imap(KINDS[kind], batches), strict=True):
            now = time.monotonic()
            part.seconds, began = now - began, now
            yield batch[-1] + 1, part


def as_text(columns: dict[str, Totals]) -> str:
    """The table, in Markdown, a column for each kind of night."""
    facts = [_facts(totals) for totals in columns.values()]
    names = sorted(dict.fromkeys(name for each in facts for name in each), key=_chapter)
    rows = [[name, *(each.get(name, "0") for each in facts)] for name in names]
    lines = [["", *columns], ["---", *["---:"] * len(columns)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _chapter(name: str) -> int:
    """Counts first, then rows, then faults, then what they came to."""
    chapters = ("rows ", "fault: ", "nights/s", "**")
    return next((at for at, each in enumerate(chapters, 1) if name.startswith(each)), 0)


def _facts(totals: Totals) -> dict[str, str]:
    counts = totals.counts
    rows = sorted(name for name in counts if name.startswith("rows "))
    plain = [name for name in counts if name != "violations" and name not in rows]
    facts = {name.replace("_", " "): f"{counts[name]:,}" for name in [*plain, *rows]}
    faults = sorted(totals.faults.items(), key=lambda each: -each[1])
    facts |= {f"fault: {name.replace('_', ' ')}": f"{count:,}" for name, count in faults}
    facts["nights/s"] = f"{counts['nights'] / totals.seconds:.0f}" if totals.seconds else "-"
    facts["**violations**"] = f"**{counts['violations']}**"
    return facts
