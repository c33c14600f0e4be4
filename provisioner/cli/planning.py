"""The body of `plan`: what a run would do."""

from __future__ import annotations

import time
from typing import Any, cast

import msgspec

from provisioner.cli.inspection import Inspection, looked_at
from provisioner.cli.settings import input_settings
from provisioner.cli.speech import show, tell
from provisioner.errors import ExitCode
from provisioner.job import JobState, Problem
from provisioner.ledger import Expiries, ledger_path, open_reader
from provisioner.report import render_problems, seconds_text
from provisioner.settings import Settings

_MINUTE = 60.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would do, in rows but for `seconds`, `rate` (calls/s) and the epoch times.

    `recorded` are the file's jobs that the campaign already has, by state. `first_close` and
    `last_close` bound when the sessions close whose rows say how long they live; `expiry_unset`
    rows leave that to their connector. `rate` is what was asked for, or what the ledger knows of a
    lane; without either nobody can tell how long it takes.
    """

    input: Inspection
    recorded: dict[JobState, int]
    to_send: int
    rate: float | None
    seconds: float | None
    start: float
    end: float | None
    first_close: float | None
    last_close: float | None
    expiry_unset: int


def report_plan(jobs: str, options: dict[str, Any]) -> int:
    """The plan on stdout, problems of the file on stderr; 65 if a run would refuse its rows."""
    settings = Settings(input=input_settings(jobs, options), campaign=options["campaign"])

    def on_problem(problem: Problem) -> None:
        for line in render_problems(jobs, [problem]):
            tell(line)

    with looked_at(settings, on_problem) as (forecast, found):
        recorded = forecast.overlap(ledger_path(options["ledger"]))
        plan = _plan(found, recorded, forecast.expiries(), _rate(options), time.time())
    show(msgspec.json.encode(plan) if options["json"] else _text(plan))
    return ExitCode.OK if options["skip_invalid"] else found.exit_code


def _plan(
    found: Inspection,
    recorded: dict[JobState, int],
    expiries: Expiries,
    rate: float | None,
    now: float,
) -> Plan:
    to_send = found.valid - sum(recorded.values()) + recorded.get(JobState.PENDING, 0)
    seconds = None if rate is None else to_send / rate
    end = None if seconds is None else now + seconds
    return Plan(
        input=found,
        recorded=recorded,
        to_send=to_send,
        rate=rate,
        seconds=None if seconds is None else round(seconds, 3),
        start=now,
        end=end,
        first_close=_after(now, expiries.shortest),
        last_close=None if end is None else _after(end, expiries.longest),
        expiry_unset=expiries.unset,
    )


def _rate(options: dict[str, Any]) -> float | None:
    """What was asked for, or what any lane was found to allow last."""
    path = ledger_path(options["ledger"])
    if options["rate"] is not None or not path.exists():
        return cast("float | None", options["rate"])
    with open_reader(path) as reader:
        return next((learned.rate for learned in reader.rates()), None)


def _duration(plan: Plan) -> str:
    if plan.rate is None or plan.seconds is None or plan.end is None:
        return "; how fast, the first run learns"
    return (
        f": {seconds_text(plan.seconds)} at {plan.rate:.4g}/s, "
        f"done by {_local(plan.end)} if started now"
    )


def _after(start: float, minutes: int | None) -> float | None:
    return None if minutes is None else start + minutes * _MINUTE


def _text(plan: Plan) -> str:
    lines = [str(plan.input)]
    lines += [f"  {count:>9,}  {_RECORDED[state]}" for state, count in plan.recorded.items()]
    lines.append(f"  {plan.to_send:>9,}  to send{_duration(plan)}")
    if plan.first_close is not None and plan.last_close is not None:
        lines.append(f"Sessions close from {_local(plan.first_close)} to {_local(plan.last_close)}")
    if plan.expiry_unset:
        lines.append(
            f"{plan.expiry_unset:,} rows have no expiry_minutes: "
            "their sessions live as long as their connector's default says"
        )
    return "\n".join(lines)


_RECORDED = {
    JobState.PENDING: "recorded and pending",
    JobState.IN_FLIGHT: "in flight",
    JobState.AMBIGUOUS: "ambiguous, not sent again before they are settled",
    JobState.CREATED: "created already",
    JobState.FAILED: "failed, sent again with --retry-failed only",
    JobState.NEEDS_REVIEW: "need review",
}


def _local(epoch: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(epoch))
