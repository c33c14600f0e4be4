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
HARM = ("duplicate", "lost", "orphan", "wrong", "unreported", "unaudited")
"""Violations that are there at the service, for everybody to see."""


class Catch(msgspec.Struct, frozen=True, kw_only=True):
    """The first night that broke a promise, and what it was; the first that did harm.

    Nights count from 1; None when `PATIENCE` nights were not enough. Of a second line `held` tells
    the nights in which it stood alone against a slip, and against how many it stood in vain.
    """

    safeguard: str
    held: tuple[int, int] | None = None
    night: int | None = None
    violation: str = ""
    harm: int | None = None
    harmful: str = ""


def holds(safeguard: str, seeds: range = range(PATIENCE)) -> tuple[int, int]:
    """The nights in which a second line was put to the test, and those it let a duplicate by."""
    slip = ABLATIONS[safeguard].slip
    assert slip is not None, f"{safeguard} is no second line"
    nights = [simulate(scenario(seed), slip()).violations for seed in seeds]
    broken = [each for each in nights if each]
    return len(broken), sum(any(map(_is_duplicate, each)) for each in broken)


def _is_duplicate(violation: str) -> bool:
    return _kind(violation) == "duplicate"


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
        if ABLATIONS[safeguard].slip:
            # The slip itself is noticed with the line in place, too: what it lets by counts.
            broken = list(filter(_is_duplicate, broken))
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
        yield from pool.imap(_caught, [each for each in ABLATIONS if each not in known])


def _caught(safeguard: str) -> Catch:
    found = catch(safeguard)
    if ABLATIONS[safeguard].slip is None:
        return found
    return msgspec.structs.replace(found, held=holds(safeguard))


def as_row(found: Catch) -> str:
    """A line of the table, in Markdown."""
    caught = f"{found.night} | {_kind(found.violation)}" if found.night else "**not caught** |"
    harm = f"{found.harm} | {_kind(found.harmful)}" if found.harm else f"> {PATIENCE} |"
    held = "" if found.held is None else f"{found.held[1]} of {found.held[0]} nights"
    return f"| {found.safeguard} | {caught} | {harm} | {held} |"


HEADER = """\
| taken away | caught after nights | by | visible at the service after | as | the slip alone |
|---|---:|---|---:|---|---|"""


def _kind(violation: str) -> str:
    return violation.partition(":")[0]
