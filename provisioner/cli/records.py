"""The bodies of `status` and `results`: what the ledger holds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec

from provisioner.campaign import out_folder, write_campaign
from provisioner.cli.speech import show
from provisioner.errors import ConfigurationError, ExitCode, UsageError
from provisioner.ledger import SqliteReader, ledger_path, open_reader
from provisioner.record import CampaignRecord, LearnedRate
from provisioner.report import (
    RunTally,
    Summary,
    file_counts,
    render_summary,
    summarize,
    summary_json,
)
from provisioner.settings import Settings


class CampaignStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign and its rows by result file; `created_at` is epoch seconds."""

    campaign: str
    input: str
    created_at: float
    rows: int
    counts: dict[str, int]


def show_status(options: dict[str, Any]) -> int:
    """The campaigns on stdout."""
    with open_reader(ledger_path(options["ledger"])) as reader:
        campaigns = reader.campaigns()
        if options["campaign"] is not None:
            campaigns = [choose(campaigns, options["campaign"])]
        found = [_status(reader, campaign) for campaign in campaigns]
        rates = reader.rates()
    told = {"campaigns": found, "rates": rates}
    show(msgspec.json.encode(told) if options["json"] else _table(found, rates))
    return ExitCode.OK


def write_again(options: dict[str, Any]) -> int:
    """The result files of one campaign; its summary on stdout."""
    with open_reader(ledger_path(options["ledger"])) as reader:
        campaign = choose(reader.campaigns(), options["campaign"])
        out = Path(options["out"]) if options["out"] else None
        summary = rewrite(reader, campaign, Settings(out=out, results=options["results"]))
    if options["json"]:
        show(summary_json(summary))
    else:
        show(render_summary(summary), newline=False)
    return ExitCode.OK


def rewrite(reader: SqliteReader, campaign: CampaignRecord, settings: Settings) -> Summary:
    """Write a campaign's files as the ledger has it now; its summary."""
    summary = _last_summary(reader, campaign)
    out = out_folder(settings, campaign.name)
    return write_campaign(reader, campaign, summary, out, settings.results)


def choose(campaigns: list[CampaignRecord], name: str | None) -> CampaignRecord:
    """The campaign of this name, or the only one.

    Raises:
        UsageError: there are several, or none.
        ConfigurationError: there is none of this name.
    """
    names = ", ".join(campaign.name for campaign in campaigns)
    if name is None and len(campaigns) != 1:
        raise UsageError(
            f"the ledger has {len(campaigns)} campaigns", hint=f"choose with --campaign: {names}"
        )
    chosen = [campaign for campaign in campaigns if name in (None, campaign.name)]
    if not chosen:
        raise ConfigurationError(f"there is no campaign {name!r}", hint=f"there are: {names}")
    return chosen[0]


def _last_summary(reader: SqliteReader, campaign: CampaignRecord) -> Summary:
    """What the ledger says now, with the timing of the last run that ended."""
    summary = summarize(campaign, reader.counts(campaign.id), reader.calls(campaign.id), RunTally())
    last = reader.last_run(campaign.id)
    if last is None:
        return summary
    before = msgspec.json.decode(last, type=Summary)
    return msgspec.structs.replace(
        summary, timing=before.timing, rate=before.rate, audit=before.audit
    )


def _status(reader: SqliteReader, campaign: CampaignRecord) -> CampaignStatus:
    counts = file_counts(reader.counts(campaign.id))
    return CampaignStatus(
        campaign=campaign.name,
        input=campaign.input_name,
        created_at=campaign.created_at,
        rows=sum(counts.values()),
        counts=counts,
    )


def _table(found: list[CampaignStatus], rates: list[LearnedRate]) -> str:
    if not found:
        return "no campaigns yet"
    lines = [line for each in found for line in _lines(each)]
    return "\n".join(lines + [_learned(each) for each in rates])


def _learned(rate: LearnedRate) -> str:
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(rate.learned_at))
    return f"{rate.lane}: {rate.operation} allows {rate.rate:.4g}/s, learned {at}"


def _lines(status: CampaignStatus) -> list[str]:
    recorded = time.strftime("%Y-%m-%d %H:%M", time.localtime(status.created_at))
    counts = ", ".join(
        f"{count:,} {name.replace('_', ' ')}" for name, count in status.counts.items() if count
    )
    return [
        f"{status.campaign}: {status.rows:,} rows of {status.input}, recorded {recorded}",
        f"  {counts or 'empty'}",
    ]
