"""Simulated nights from the command line.

python -m tests.simulation --seed 123                 one night again, identically
python -m tests.simulation --seed 7 --crash-at 31     a small night, cut dead at a step
python -m tests.simulation --seed 7 --lost            a night that loses its ledger
python -m tests.simulation --seeds 10000              as many as asked, on every core
python -m tests.simulation --every-step 80 --losses 1000 --ablations
                                                      and the other kinds, and each safeguard
                                                      taken away

What is done is kept in --into, for as long as the commit is the same: a run that was cut short, or
that --seconds ended (exit code 75), goes on where it was.
"""

# ruff: noqa: T201  # what it finds goes to the terminal

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from tests.simulation.ablations import ABLATIONS
from tests.simulation.campaign import COMMAND, TO_GO_ON, Campaign
from tests.simulation.night import simulate
from tests.simulation.scenario import Scenario, crashing, losing, scenario
from tests.simulation.table import EVERY_STEP_JOBS


def main() -> int:
    """Exit 1 when a promise was broken."""
    parser = argparse.ArgumentParser(
        prog=COMMAND, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, help="replay one night")
    parser.add_argument("--crash-at", type=int, help="with --seed: a small night that dies there")
    parser.add_argument("--lost", action="store_true", help="with --seed: it loses its ledger")
    parser.add_argument("--trace", action="store_true", help="with --seed: print every event")
    parser.add_argument("--without", choices=ABLATIONS, help="with --seed: a safeguard less")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--every-step", type=int, default=0, metavar="SEEDS")
    parser.add_argument("--losses", type=int, default=0, metavar="SEEDS")
    parser.add_argument("--ablations", action="store_true")
    parser.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--into", type=Path, default=Path("out/simulation.json"))
    parser.add_argument("--publish", type=Path, metavar="PAGE", help="put the figures there, too")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        return _replay(arguments)
    wanted = {
        "nights": arguments.seeds,
        "every_step": arguments.every_step,
        "losses": arguments.losses,
    }
    wanted = {kind: seeds for kind, seeds in wanted.items() if seeds}
    campaign = Campaign(wanted, arguments.into, arguments.seconds)
    code = campaign.run(ablations=arguments.ablations)
    if arguments.publish and code != TO_GO_ON:
        campaign.publish(arguments.publish)
    return code


def _replay(arguments: argparse.Namespace) -> int:
    night = simulate(
        _scenario(arguments), ABLATIONS[arguments.without]() if arguments.without else None
    )
    if arguments.trace:
        print("\n".join(map(repr, night.trace)))
    rows = dict(night.rows)
    print(f"seed {arguments.seed}: {night.lives} lives, {night.calls} calls, rows {rows}")
    print(f"digest {night.digest}")
    print("\n".join(night.violations) or "every promise was kept")
    return bool(night.violations)


def _scenario(arguments: argparse.Namespace) -> Scenario:
    seed, step = arguments.seed, arguments.crash_at
    if step is not None:
        return crashing(seed, step or None, EVERY_STEP_JOBS)
    return losing(seed) if arguments.lost else scenario(seed)


if __name__ == "__main__":
    sys.exit(main())
