"""`provisioner run`: validate, record, provision, write the results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from provisioner import defaults
from provisioner.cli import options as opt
from provisioner.cli.values import CountOrAuto, Duration, HaltRules, RateSchedule, RowsToRetry

_RETRY_FAILED = "--retry-failed"


class RunCommand(click.Command):
    """Takes a value of --retry-failed after `=` only, so that JOBS may follow the bare option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's; the bare option means every failed row."""
        return super().parse_args(
            ctx, [f"{_RETRY_FAILED}=*" if each == _RETRY_FAILED else each for each in args]
        )


@click.command(
    cls=RunCommand,
    short_help="Validate, record, provision, write the results.",
    epilog="""\b
Examples:
  provisioner run jobs/campaign.csv --emulate --rate 200
  provisioner run jobs/campaign.csv --region us-east-1 --rate 10
  provisioner run jobs/campaign.csv --campaign '{stem}-{date}' --out results
  provisioner run --campaign campaign --retry-failed
  provisioner run jobs/campaign.csv --max-rows 5000 --halt failed=5%,min=200
  provisioner run jobs/campaign.csv --deadline 06:00 --time-zone Europe/Berlin
  provisioner run jobs/campaign.csv --rate-schedule '22:00 20/s, 07:00 off' --deadline 07:00
  provisioner run - --format jsonl --campaign night < jobs/campaign.jsonl""",
)
@click.argument("jobs", required=False)
@opt.config
@opt.ledger
@opt.campaign
@opt.option("--out", metavar="DIR", help="Result files. [default: out/<campaign>]")
@opt.rate
@opt.option(
    "--rate-schedule",
    type=RateSchedule(),
    metavar="TIMETABLE",
    default="",
    help="Ceilings by the time of day, such as '22:00 20/s, 06:00 2/s, 07:00 off'.",
)
@opt.option(
    "--burst",
    type=click.IntRange(min=1),
    help="Calls at once. [default: 1; from 50/s on, 20 ms' worth, which makes up for late timers]",
)
@opt.option(
    "--concurrency",
    type=CountOrAuto(4096),
    default="auto",
    show_default=True,
    help="Calls on the wire at once; auto is 64, and up to 512 where rate and latency ask for it.",
)
@opt.option(
    "--sdk-path",
    type=click.Choice(["lean", "stock"]),
    default=defaults.SDK_PATH,
    show_default=True,
    help="stock: each call takes the whole way through the SDK, at several times the CPU.",
)
@opt.option(
    "--max-attempts",
    type=click.IntRange(min=1),
    default=defaults.MAX_ATTEMPTS,
    show_default=True,
    help="Attempts per job and run; throttled ones do not count.",
)
@opt.option(
    "--give-up",
    type=Duration(positive=True),
    default=Duration.text(defaults.GIVE_UP),
    show_default=True,
    help="End the run after this long without a call that went well; the rest stays pending.",
)
@opt.settle
@opt.option(
    "--reconcile/--no-reconcile",
    default=True,
    help="Settle ambiguous rows before the run ends.",
)
@opt.option(
    "--audit/--no-audit", default=True, help="Look for sessions that a 503 created after all."
)
@opt.service_options
@opt.option("--preflight/--no-preflight", default=True, help="Check each connector first.")
@opt.option(
    "--emulate", is_flag=True, help="Run against an emulator of our own: no account needed."
)
@opt.option(
    "--faults",
    metavar="LIST",
    default="",
    help="With --emulate: faults, such as throttle=1%,unavailable=1%,latency=30ms.",
)
@opt.input_options
@opt.option("--skip-invalid", is_flag=True, help="Set invalid rows aside instead of refusing.")
@opt.option("--extend", is_flag=True, help="Add the new rows of a job file that has changed.")
@opt.option(
    _RETRY_FAILED,
    type=RowsToRetry(),
    metavar="[=CODE]",
    help="Send failed rows again; with =CODE those that failed with this error code.",
)
@opt.window_options
@opt.option("--limit", type=click.IntRange(min=1), help="Jobs of this run at most.")
@opt.option(
    "--max-rows",
    type=click.IntRange(min=1),
    help="Ask before sending more rows than this; without a terminal, refuse.",
)
@opt.option("--yes", is_flag=True, help="Send however many rows there are, unasked.")
@opt.option(
    "--halt",
    type=HaltRules(),
    metavar="RULES",
    default="",
    help="End the run when too much fails, such as failed=5%,min=200 or failed=50.",
)
@opt.option(
    "--results", type=click.Choice(["csv", "jsonl"]), help="Default: the job file's own format."
)
@opt.option(
    "--on-finish",
    metavar="COMMAND",
    help="Run this when the run is over, however it ended, with the summary in PROVISIONER_… "
    "variables and as JSON on standard input; no shell, a minute at most.",
)
@opt.option(
    "--heartbeat",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A JSON file for monitors, replaced every 5 s while the run goes on.",
)
@opt.log_options
@opt.option("--quiet", is_flag=True, help="No progress; warnings and errors only.")
@opt.json_output
def run(jobs: str | None, **options: Any) -> int:  # noqa: ANN401  # click's options, by name
    """Validate JOBS, record them, provision each exactly once, write the results.

    JOBS is CSV or JSONL; - is standard input. Without JOBS, --campaign resumes a recorded one.
    Running the same command again resumes: what is done is done.
    """
    from provisioner.cli.night import execute  # noqa: PLC0415  # keeps --help light

    return execute(jobs, options)
