"""Simulated nights from the command line.

python -m tests.simulation --seed 123                 one night again, identically
python -m tests.simulation --seed 7 --crash-at 31     a small night, cut dead at a step
python -m tests.simulation --seeds 10000              as many as asked, on every core
python -m tests.simulation --seeds 300 --every-step   each cut dead at each of its steps
python -m tests.simulation --ablations                each safeguard taken away
"""

# ruff: noqa: T201  # what it finds goes to the terminal

from __future__ import annotations

import argparse
import sys

from tests.simulation.ablations import ABLATIONS
from tests.simulation.catching import HEADER, as_row, catches
from tests.simulation.night import simulate
from tests.simulation.scenario import crashing, scenario
from tests.simulation.table import EVERY_STEP_JOBS, as_text, on_every_core

COMMAND = "python -m tests.simulation"


def main() -> int:
    """Exit 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--seed", type=int, help="replay one night")
    parser.add_argument("--crash-at", type=int, help="with --seed: a small night that dies there")
    parser.add_argument("--trace", action="store_true", help="with --seed: print every event")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the first of the seeds")
    parser.add_argument("--every-step", action="store_true")
    parser.add_argument("--ablations", action="store_true")
    parser.add_argument("--without", choices=ABLATIONS, help="with --seed: a safeguard less")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        return _replay(arguments)
    return _ablations() if arguments.ablations else _many(arguments)


def _ablations() -> int:
    print(HEADER)
    uncaught = False
    for found in catches():
        uncaught = uncaught or found.night is None
        print(as_row(found), flush=True)
    return uncaught


def _replay(arguments: argparse.Namespace) -> int:
    seed, step = arguments.seed, arguments.crash_at
    night = simulate(
        scenario(seed) if step is None else crashing(seed, step or None, EVERY_STEP_JOBS),
        ABLATIONS[arguments.without]() if arguments.without else None,
    )
    if arguments.trace:
        print("\n".join(map(repr, night.trace)))
    print(f"seed {seed}: {night.lives} lives, {night.calls} calls, rows {dict(night.states)}")
    print(f"digest {night.digest}")
    print("\n".join(night.violations) or "every promise was kept")
    return bool(night.violations)


def _many(arguments: argparse.Namespace) -> int:
    kind = "every_step" if arguments.every_step else "nights"
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    reported = 0
    for totals in on_every_core(kind, seeds):
        for replay, broken in totals.broken[reported:]:
            print(f"{COMMAND} {replay}\n    " + "\n    ".join(broken[:5]), file=sys.stderr)
        reported = len(totals.broken)
    print(as_text(totals))
    return bool(totals.broken)


if __name__ == "__main__":
    sys.exit(main())
