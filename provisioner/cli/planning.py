"""The body of `plan`: what a run would do."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import tzinfo
from typing import Any

import msgspec

from provisioner.cli.inspection import Inspection, looked_at
from provisioner.cli.settings import deadline, input_settings
from provisioner.cli.speech import say, show, tell
from provisioner.errors import ExitCode
from provisioner.intake import IntakePolicy
from provisioner.job import JobState, Problem
from provisioner.ledger import Closings, Forecast, ledger_path, open_reader
from provisioner.quotas import likely_rate
from provisioner.report import render_problems, seconds_text
from provisioner.settings import ServiceSettings, Settings
from provisioner.wall_time import moment_after, told, zone_named


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How a run would go: `rate` calls/s from `start` on, until `deadline` if there is one.

    Times are epoch seconds. Without a rate nobody can tell how long it takes.
    """

    rate: float | None
    start: float
    deadline: float | None

    def seconds(self, rows: int) -> float | None:
        """How long so many rows take."""
        return None if self.rate is None else rows / self.rate

    def late(self, rows: int) -> int | None:
        """How many of them miss the deadline; None without one, or a rate."""
        if self.rate is None or self.deadline is None:
            return None
        return max(rows - int((self.deadline - self.start) * self.rate), 0)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would do, in rows but for `seconds`, `rate` (calls/s) and the epoch times.

    `recorded` are the file's jobs that the campaign already has, by state. `rate` is what was
    asked for, or what `lane` was found to allow. `late` rows miss the `deadline`. `closings` tells
    when the sessions still to be created will close, and how many before `needed_until`.
    """

    input: Inspection
    recorded: dict[JobState, int]
    to_send: int
    rate: float | None
    lane: str | None
    seconds: float | None
    start: float
    end: float | None
    deadline: float | None
    late: int | None
    needed_until: float | None
    closings: Closings


def report_plan(jobs: str, options: dict[str, Any]) -> int:
    """The plan on stdout, problems of the file on stderr; 65 and why if a run would refuse it."""
    settings = Settings(input=input_settings(jobs, options), campaign=options["campaign"])
    zone = zone_named(options["time_zone"])

    def on_problem(problem: Problem) -> None:
        for line in render_problems(jobs, [problem]):
            tell(line)

    policy = IntakePolicy(skip_invalid=options["skip_invalid"], extend=options["extend"])
    with looked_at(settings, on_problem, ledger_path(options["ledger"])) as look:
        plan = _plan(look.forecast, look.found, options, zone)
        refused = look.refusal(policy)
    show(msgspec.json.encode(plan) if options["json"] else "\n".join(_lines(plan, zone)))
    if refused is None:
        return ExitCode.OK
    say(str(refused), refused.hint)
    return refused.exit_code


def _plan(
    forecast: Forecast, found: Inspection, options: dict[str, Any], zone: tzinfo | None
) -> Plan:
    recorded = forecast.overlap()
    again = sum(recorded.get(state, 0) for state in (JobState.PENDING, JobState.WITHDRAWN))
    to_send = found.valid - sum(recorded.values()) + again
    now = time.time()
    rate, lane = _rate(options)
    pace = Pace(rate=rate, start=now, deadline=deadline(options, now))
    seconds = pace.seconds(to_send)
    end = now + (seconds or 0.0)
    moment = options["needed_until"]
    needed_until = None if moment is None else moment_after(moment, zone, end)
    return Plan(
        input=found,
        recorded=recorded,
        to_send=to_send,
        rate=rate,
        lane=lane,
        seconds=None if seconds is None else round(seconds, 3),
        start=now,
        end=None if seconds is None else end,
        deadline=pace.deadline,
        late=pace.late(to_send),
        needed_until=needed_until,
        closings=forecast.closings(start=now, rate=pace.rate, needed_until=needed_until),
    )


def _rate(options: dict[str, Any]) -> tuple[float | None, str | None]:
    """What was asked for, or what the service was found to allow and the lane that tells so."""
    path = ledger_path(options["ledger"])
    if options["rate"] is not None or not path.exists():
        return options["rate"], None
    service = ServiceSettings(
        region=options["region"] or os.environ.get("AWS_DEFAULT_REGION"),
        profile=options["profile"],
        endpoint_url=options["endpoint_url"],
    )
    with open_reader(path) as reader:
        learned = likely_rate(reader.rates(), service)
    return (None, None) if learned is None else (learned.rate, learned.lane)


def _lines(plan: Plan, zone: tzinfo | None) -> Iterator[str]:
    yield str(plan.input)
    for state, count in plan.recorded.items():
        yield f"  {count:>9,}  {_RECORDED[state]}"
    yield f"  {plan.to_send:>9,}  to send{_duration(plan, zone) if plan.to_send else ''}"
    if plan.late:
        yield f"  {plan.late:>9,}  of them miss the deadline {told(plan.deadline or 0.0, zone)}"
    yield from _closings(plan, zone)


def _duration(plan: Plan, zone: tzinfo | None) -> str:
    if plan.rate is None or plan.seconds is None or plan.end is None:
        return "; how fast, the first run learns"
    learned = f" ({plan.lane} allows it)" if plan.lane else ""
    return (
        f": {seconds_text(plan.seconds)} at {plan.rate:.4g}/s{learned}, "
        f"done by {told(plan.end, zone)} if started now"
    )


def _closings(plan: Plan, zone: tzinfo | None) -> Iterator[str]:
    closings = plan.closings
    if closings.first is not None and closings.last is not None:
        yield f"Sessions close from {told(closings.first, zone)} to {told(closings.last, zone)}."
    if closings.unknown:
        yield (
            f"{closings.unknown:,} rows have no expiry_minutes: their sessions live as long as "
            "their connector's default says. `provisioner doctor --voice-connector-id ...` shows "
            "it, `plan --expiry-minutes ...` reckons with it."
        )
    if closings.early and plan.needed_until is not None:
        yield (
            f"Warning: {closings.early:,} sessions will have closed before "
            f"{told(plan.needed_until, zone)}: start later, or raise --expiry-minutes"
        )


_RECORDED = {
    JobState.PENDING: "recorded and pending",
    JobState.IN_FLIGHT: "in flight",
    JobState.AMBIGUOUS: "ambiguous, not sent again before they are settled",
    JobState.CREATED: "created already",
    JobState.FAILED: "failed, sent again with --retry-failed only",
    JobState.NEEDS_REVIEW: "need review",
    JobState.WITHDRAWN: "tried before they left the file, pending again",
}
