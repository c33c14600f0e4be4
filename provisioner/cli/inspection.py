"""Looking at a job file without sending anything; the body of `validate`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from provisioner.campaign import new_campaign
from provisioner.cli.settings import input_settings
from provisioner.cli.speech import show
from provisioner.errors import ExitCode, InputRefusedError
from provisioner.intake import IntakePolicy, ProblemSink, judge, record
from provisioner.job import Problem
from provisioner.ledger import Forecast, open_forecast
from provisioner.record import NewCampaign, Recorded
from provisioner.report import problems_json, render_problems
from provisioner.settings import Settings
from provisioner.source import open_source

_NO_CAMPAIGN = "validation"
"""Takes the place of a name made from the file's, which need not be fit for one."""


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What a job file holds, in rows."""

    input: str
    rows: int
    valid: int
    rejected: int
    duplicates: int

    @property
    def exit_code(self) -> ExitCode:
        """Whether a run would take it."""
        return ExitCode.INPUT_REFUSED if self.rejected else ExitCode.OK

    def __str__(self) -> str:
        return (
            f"{self.input}: {self.rows:,} rows, {self.valid:,} valid, "
            f"{self.rejected:,} invalid, {self.duplicates:,} duplicates"
        )


class Look(NamedTuple):
    """A job file's campaign, its intake into nowhere, and what came of it."""

    campaign: NewCampaign
    forecast: Forecast
    recorded: Recorded
    found: Inspection

    def refusal(self, policy: IntakePolicy) -> InputRefusedError | None:
        """Why a run would not take the file, if so."""
        forecast = self.forecast
        try:
            judge(forecast.intake, self.recorded, forecast.known, self.campaign, policy)
        except InputRefusedError as refused:
            return refused
        return None


@contextmanager
def looked_at(
    settings: Settings, on_problem: ProblemSink, ledger: Path | None = None
) -> Iterator[Look]:
    """The job file of `settings`, read, validated and recorded nowhere, beside a ledger if any."""
    assert settings.input is not None  # noqa: S101  # both commands take a job file
    source = open_source(settings.input)
    campaign = new_campaign(settings, source)
    with open_forecast(campaign, ledger) as forecast, forecast.intake as intake:
        recorded = record(source, intake, campaign.name, on_problem)
        yield Look(campaign, forecast, recorded, _inspection(source.name, recorded))


def report_problems(jobs: str, options: dict[str, Any]) -> int:
    """Every problem and then the counts on stdout; the exit code."""
    settings = Settings(input=input_settings(jobs, options), campaign=_NO_CAMPAIGN)
    tell = _as_json if options["json"] else _as_text
    with tell(jobs) as (on_problem, conclude), looked_at(settings, on_problem) as look:
        conclude(look.found)
    return look.found.exit_code


def _inspection(name: str, recorded: Recorded) -> Inspection:
    return Inspection(
        input=name,
        rows=recorded.new + recorded.same + recorded.rejected + recorded.duplicates,
        valid=recorded.new + recorded.same,
        rejected=recorded.rejected,
        duplicates=recorded.duplicates,
    )


@contextmanager
def _as_text(name: str) -> Iterator[tuple[ProblemSink, Callable[[Inspection], None]]]:
    def on_problem(problem: Problem) -> None:
        for line in render_problems(name, [problem]):
            show(line)

    yield on_problem, lambda found: show(str(found))


@contextmanager
def _as_json(name: str) -> Iterator[tuple[ProblemSink, Callable[[Inspection], None]]]:
    """One object, written as the problems come: a file may have a million."""
    written = 0

    def on_problem(problem: Problem) -> None:
        nonlocal written
        for each in problems_json(name, [problem]):
            show((b"," if written else b'{"problems":[') + each, newline=False)
            written += 1

    def conclude(found: Inspection) -> None:
        start = b"]," if written else b'{"problems":[],'
        show(start + msgspec.json.encode(found).removeprefix(b"{"))

    yield on_problem, conclude
