"""After how many nights the checker notices that a safeguard is gone."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterator
from multiprocessing import get_context

import msgspec

from tests.simulation.ablations import ABLATIONS
from tests.simulation.night import simulate
from tests.simulation.scenario import Scenario, scenario

PATIENCE = 300
"""Nights after which a safeguard counts as untested."""
HARM = ("duplicate", "lost", "orphan", "wrong", "unreported", "unaudited", "rate")
"""Violations that show at the service: in its sessions, or in the calls that reach it."""


class Catch(msgspec.Struct, frozen=True, kw_only=True):
    """The first night that broke a promise, and what it was; the first that did harm.

    Nights count from 1; None when `PATIENCE` nights were not enough.
    """

    safeguard: str
    night: int | None = None
    violation: str = ""
    harm: int | None = None
    harmful: str = ""


def catch(
    safeguard: str,
    seeds: range = range(PATIENCE),
    night: Callable[[int], Scenario] = scenario,
    *,
    harm: bool = True,
) -> Catch:
    """Run nights without a safeguard until the checker speaks up; with `harm`, until it shows."""
    found = Catch(safeguard=safeguard)
    for seed in seeds:
        broken = simulate(night(seed), ABLATIONS[safeguard]()).violations
        for violation in broken:
            if found.night is None:
                found = msgspec.structs.replace(found, night=seed + 1, violation=violation)
            if found.harm is None and violation.startswith(HARM):
                found = msgspec.structs.replace(found, harm=seed + 1, harmful=violation)
        if found.night is not None and (found.harm is not None or not harm):
            break
    return found


def catches(known: Container[str] = ()) -> Iterator[Catch]:
    """Every ablation, on every core, but those that are known."""
    with get_context("fork").Pool(os.cpu_count()) as pool:
        yield from pool.imap(catch, [each for each in ABLATIONS if each not in known])


def as_row(found: Catch) -> str:
    """A line of the table, in Markdown."""
    caught = f"{found.night} | {_kind(found.violation)}" if found.night else "**not caught** |"
    harm = f"{found.harm} | {_kind(found.harmful)}" if found.harm else f"> {PATIENCE} |"
    return f"| {found.safeguard} | {caught} | {harm} |"


HEADER = """\
| taken away | caught after nights | by | visible at the service after | as |
|---|---:|---|---:|---|"""


def _kind(violation: str) -> str:
    return violation.partition(":")[0]
