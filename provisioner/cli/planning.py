"""The body of `plan`: what a run would do."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from provisioner.cli.inspection import Inspection, looked_at
from provisioner.cli.settings import input_settings
from provisioner.cli.speech import show, tell
from provisioner.errors import ExitCode
from provisioner.job import JobState, Problem
from provisioner.ledger import Expiries, ledger_path
from provisioner.report import render_problems, seconds_text
from provisioner.settings import Settings

_MINUTE = 60.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would do, in rows but for `seconds`, `rate` (calls/s) and the epoch times.

    `recorded` are the file's jobs that the campaign already has, by state. `first_close` and
    `last_close` bound when the sessions close whose rows say how long they live; `expiry_unset`
    rows leave that to their connector.
    """

    input: Inspection
    recorded: dict[JobState, int]
    to_send: int
    rate: float
    seconds: float
    start: float
    end: float
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
        plan = _plan(found, recorded, forecast.expiries(), options["rate"], time.time())
    show(msgspec.json.encode(plan) if options["json"] else _text(plan))
    return ExitCode.OK if options["skip_invalid"] else found.exit_code


def _plan(
    found: Inspection,
    recorded: dict[JobState, int],
    expiries: Expiries,
    rate: float,
    now: float,
) -> Plan:
    to_send = found.valid - sum(recorded.values()) + recorded.get(JobState.PENDING, 0)
    end = now + to_send / rate
    return Plan(
        input=found,
        recorded=recorded,
        to_send=to_send,
        rate=rate,
        seconds=round(to_send / rate, 3),
        start=now,
        end=end,
        first_close=_after(now, expiries.shortest),
        last_close=_after(end, expiries.longest),
        expiry_unset=expiries.unset,
    )


def _after(start: float, minutes: int | None) -> float | None:
    return None if minutes is None else start + minutes * _MINUTE


def _text(plan: Plan) -> str:
    lines = [str(plan.input)]
    lines += [f"  {count:>9,}  {_RECORDED[state]}" for state, count in plan.recorded.items()]
    lines.append(
        f"  {plan.to_send:>9,}  to send: {seconds_text(plan.seconds)} at {plan.rate:g}/s, "
        f"done by {_local(plan.end)} if started now"
    )
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
