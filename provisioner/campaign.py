"""A campaign from both ends: its job file into the ledger, its results out of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec

from provisioner.errors import InputRefusedError, ProvisionerError, UsageError
from provisioner.events import RetryUnmatched
from provisioner.intake import IntakePolicy, ProblemSink, Stoppable, admit, refuse_too_many
from provisioner.job import JobState
from provisioner.ledger import SqliteLedger, SqliteReader
from provisioner.ports import Source
from provisioner.record import CampaignRecord, NewCampaign
from provisioner.report import (
    Causes,
    RunTally,
    Summary,
    result_paths,
    summarize,
    summary_json,
    write_results,
    write_summary,
)
from provisioner.settings import Settings
from provisioner.source import open_source


def campaign_name(settings: Settings) -> str:
    """The campaign's name: `--campaign` with `{date}` and `{stem}` expanded, or the file's stem.

    Raises:
        UsageError: a name that could not be a folder's.
    """
    stem = "stdin"
    if settings.input is not None and settings.input.path != "-":
        stem = Path(settings.input.path).stem
    name = settings.campaign or stem
    name = name.replace("{stem}", stem).replace("{date}", time.strftime("%Y-%m-%d"))
    if not name.isprintable() or "/" in name or name.strip(". ") == "":
        raise UsageError(
            f"{name!r} cannot be a campaign's name", hint="use letters, digits, dots and dashes"
        )
    return name


def new_campaign(settings: Settings, source: Source) -> NewCampaign:
    """The campaign that a run of these settings records `source` into."""
    defaults = settings.input.defaults if settings.input is not None else None
    return NewCampaign(
        name=campaign_name(settings),
        input_name=source.name,
        input_sha256=source.sha256,
        defaults=msgspec.json.encode(defaults).decode(),
    )


def out_folder(settings: Settings, campaign: str) -> Path:
    """Where the result files go."""
    return settings.out if settings.out is not None else Path("out") / campaign


def write_campaign(
    reader: SqliteReader,
    campaign: CampaignRecord,
    summary: Summary,
    out: Path,
    results: str | None,
) -> Summary:
    """Write a campaign's result files and its summary; returns the summary with its causes.

    `results` is `csv`, `jsonl` or None for the job file's own format.
    """
    causes = Causes()
    write_results(causes.counting(reader.results(campaign.id)), campaign.layout, out, results)
    paths = result_paths(campaign.layout, out, results)
    summary = msgspec.structs.replace(
        summary,
        causes=causes.commonest(),
        files={name: str(path) for name, path in paths.items()},
    )
    write_summary(summary, out)
    return summary


def enrol(
    core: SqliteLedger,
    settings: Settings,
    on_problem: ProblemSink,
    stopped: Callable[[], bool] = lambda: False,
) -> CampaignRecord:
    """The campaign, recorded from the job file or found by name."""
    if settings.input is None:
        return _recorded(core, settings)
    source = Stoppable(open_source(settings.input), stopped)
    policy = IntakePolicy(
        skip_invalid=settings.skip_invalid,
        extend=settings.extend,
        max_rows=_unless_limited(settings),
    )
    return admit(core, source, new_campaign(settings, source), policy, on_problem)


def requeue(
    core: SqliteLedger, campaign: CampaignRecord, settings: Settings
) -> RetryUnmatched | None:
    """Make the failed rows pending that are to be sent again; what to tell if none has the code.

    Raises:
        TooManyRowsError: that would be more than may be sent; they stay failed.
    """
    code, most = settings.retry_failed, _unless_limited(settings)
    if most is not None:
        again = 0 if code is None else core.failed(campaign.id, code)
        pending = core.reader().counts(campaign.id).get(JobState.PENDING, 0)
        refuse_too_many(pending + again, most)
    if code is None or core.requeue_failed(campaign.id, code) or code == "*":
        return None
    rows = core.reader().results(campaign.id)
    failed = Counter(row.error_code or "" for row in rows if row.state is JobState.FAILED)
    return RetryUnmatched(code=code, failed=dict(failed.most_common()), at=time.time())


def _unless_limited(settings: Settings) -> int | None:
    """The most rows that may be sent without asking; None where no more can be sent anyway."""
    limited = settings.limit is not None and settings.limit <= (settings.max_rows or 0)
    return None if limited else settings.max_rows


def _recorded(core: SqliteLedger, settings: Settings) -> CampaignRecord:
    if settings.campaign is None:
        raise UsageError(
            "there is nothing to run", hint="name a job file, or a recorded --campaign to resume"
        )
    name = campaign_name(settings)
    campaign = core.campaign(name)
    if campaign is None:
        raise InputRefusedError(
            f"the ledger {settings.ledger} has no campaign {name!r}",
            hint="`provisioner status` lists them; give the job file to record a new one",
        )
    return campaign


def conclude(
    core: SqliteLedger,
    campaign: CampaignRecord,
    settings: Settings,
    tally: RunTally,
    error: ProvisionerError | None,
) -> Summary:
    """Write a run's results and summary, and keep the summary in the ledger.

    Raises:
        CannotWriteError: the results that were there are untouched.
    """
    reader = core.reader()
    summary = summarize(
        campaign, reader.counts(campaign.id), reader.calls(campaign.id), tally, error
    )
    if summary.stopped is None and settings.limit is not None and summary.counts["pending"]:
        reached = f"--limit {settings.limit} was reached"
        summary = msgspec.structs.replace(summary, stopped=reached)
    out = out_folder(settings, campaign.name)
    summary = write_campaign(reader, campaign, summary, out, settings.results)
    core.record_run(campaign.id, summary_json(summary))
    return summary
