"""A service that takes 30 to 80 ms and has a quota: how close a run comes to the ideal."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.contenders import ENVIRONMENT, write_pairs
from benchmarks.machine import described
from benchmarks.processes import SERVER_CORE, FailedError, cost_of, pinned
from provisioner.emulator.child import start_child
from provisioner.emulator.faults import parse_faults
from provisioner.emulator.numbers import COUNTRIES
from provisioner.emulator.settings import EmulatorSettings, Quota

_LATENCY = 0.055
_FAULTS = "latency=55ms~25ms"
_BURST_SECONDS = 0.1
_HEAD = (
    "| rate asked | quota | concurrency | jobs | ideal s | took s | ideal / took | throttled "
    "| limited by |\n|---:|---:|---:|---:|---:|---:|---:|---:|---|"
)


class Condition(NamedTuple):
    """Calls/s asked for and allowed, and connections."""

    rate: int
    quota: int
    concurrency: int

    def ideal(self, jobs: int) -> float:
        """Seconds in which nobody could do it faster: what the tighter limit allows."""
        paced = (jobs - 1) / min(self.rate, self.quota)
        return max(paced, jobs * _LATENCY / self.concurrency) + _LATENCY


CONDITIONS = (
    Condition(50, 100, 64),
    Condition(200, 400, 64),
    Condition(800, 1600, 64),
    Condition(1500, 3000, 64),
    Condition(1500, 3000, 128),
    Condition(3000, 6000, 256),
    Condition(400, 200, 64),
)


def conditions_page(folder: Path, *, seconds: float) -> str:
    """Markdown; every condition gets jobs for so many seconds at its rate."""
    return "\n".join(_page(folder, seconds))


def _page(folder: Path, seconds: float) -> Iterator[str]:
    yield "# Under real conditions\n"
    yield (
        "`provisioner run` against its emulator with 30 to 80 ms of latency and a quota. The ideal "
        "is the tighter of jobs / rate and jobs times mean latency / concurrency, plus one answer; "
        "the last column is the summary's own line. `make bench ONLY=conditions` repeats it.\n"
    )
    yield _HEAD
    for condition in CONDITIONS:
        try:
            yield _row(condition, folder / "run", int(condition.rate * seconds))
        except FailedError as error:
            yield f"| {condition.rate} | {condition.quota} | {condition.concurrency} | {error} |"
    yield f"\n{described()}\n"


def _row(condition: Condition, folder: Path, jobs: int) -> str:
    summary = _run(condition, folder, jobs)
    took, ideal = summary["timing"]["seconds"], condition.ideal(jobs)
    limits = {name: share for name, share in summary["timing"]["limited_by"].items() if share}
    named = sorted(limits, key=lambda name: -limits[name])
    cells = (
        f"{condition.rate:,}",
        f"{condition.quota:,}",
        f"{condition.concurrency}",
        f"{summary['counts']['created']:,}",
        f"{ideal:.2f}",
        f"{took:.2f}",
        f"{ideal / took:.0%}",
        f"{summary['calls']['throttled']:,}",
        ", ".join(f"{name} {limits[name]:.0%}" for name in named),
    )
    print(f"conditions: {cells}", file=sys.stderr)
    return f"| {' | '.join(cells)} |"


def _run(condition: Condition, folder: Path, jobs: int) -> dict[str, Any]:
    """The summary of one run on the client's core, the emulator on the other."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_pairs(folder / "jobs.csv", jobs)
    burst = max(1, int(condition.quota * _BURST_SECONDS))
    settings = EmulatorSettings(
        faults=parse_faults(_FAULTS),
        quota=Quota(rate=condition.quota, burst=burst),
        any_connector=True,
        countries=COUNTRIES,
    )
    command = [sys.executable, "-m", "provisioner", "run", "jobs.csv", "--quiet", "--json"]
    pace = ["--rate", str(condition.rate), "--concurrency", str(condition.concurrency)]
    with pinned(SERVER_CORE), start_child(settings) as url:
        files = ["--endpoint-url", url, "--ledger", "ledger.db", "--out", "out"]
        cost = cost_of([*command, *pace, *files], environment=ENVIRONMENT, folder=folder)
    told: dict[str, Any] = json.loads(cost.output)
    return told
