"""After how many nights the checker notices that a safeguard is gone."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator

import msgspec

from tests.simulation.ablations import ABLATIONS
from tests.simulation.cores import every_core
from tests.simulation.harder import HARDER
from tests.simulation.night import simulate
from tests.simulation.scenario import Scenario, scenario

PATIENCE = 300
"""Nights after which a safeguard counts as untested."""
HARM = ("duplicate", "lost", "orphan", "wrong", "unreported", "unaudited", "rate")
"""Violations that show at the service: in its sessions, or in the calls that reach it."""


class Catch(msgspec.Struct, frozen=True, kw_only=True):
    """The first night that broke a promise, and what it was; the first that did harm.

    Nights count from 1; None when `PATIENCE` nights were not enough. `harder` is then what became
    of nights that put the safeguard to the test, of the `kind` told.
    """

    safeguard: str
    night: int | None = None
    violation: str = ""
    harm: int | None = None
    harmful: str = ""
    harder: Catch | None = None
    kind: str = ""

    @property
    def caught(self) -> bool:
        """At all."""
        return self.night is not None or (self.harder is not None and self.harder.caught)


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


def catch_somehow(safeguard: str, seeds: range = range(PATIENCE)) -> Catch:
    """As `catch`; where no usual night was enough, in harder ones."""
    found = catch(safeguard, seeds)
    night = HARDER.get(safeguard)
    if found.harm is not None or night is None:
        return found
    kind = (night.__doc__ or "").removeprefix("A night of ").removesuffix(".")
    harder = catch(safeguard, seeds, night)
    return msgspec.structs.replace(found, harder=harder, kind=kind)


def catches(known: Container[str] = ()) -> Iterator[Catch]:
    """Every ablation, on every core, but those that are known."""
    with every_core() as pool:
        yield from pool.imap(catch_somehow, [each for each in ABLATIONS if each not in known])


def as_row(found: Catch) -> str:
    """A line of the table, in Markdown."""
    caught = _cells(found.night, found.violation)
    harm = _cells(found.harm, found.harmful)
    if found.harder is not None:
        harder = found.harder
        caught = _harder(caught, harder.night, harder.violation, f" with {found.kind}")
        harm = _harder(harm, harder.harm, harder.harmful)
    return f"| {found.safeguard} | {' | '.join(caught)} | {' | '.join(harm)} |"


def _cells(night: int | None, violation: str) -> tuple[str, str]:
    return (str(night), _kind(violation)) if night else (f"> {PATIENCE}", "")


def _harder(
    usual: tuple[str, str], night: int | None, violation: str, kind: str = ""
) -> tuple[str, str]:
    if usual[1]:
        return usual
    after, what = _cells(night, violation)
    return f"{usual[0]}; {after}{kind}", what


HEADER = """\
| taken away | caught after nights | by | visible at the service after | as |
|---|---:|---|---:|---|"""


def _kind(violation: str) -> str:
    return violation.partition(":")[0]
