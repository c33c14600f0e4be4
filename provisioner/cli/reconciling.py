"""The body of `reconcile`: settle, write the results again, tell."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec

from provisioner.cli.records import choose, rewrite
from provisioner.cli.settings import input_settings, refuse_own_results, service_settings
from provisioner.cli.speech import show, tell
from provisioner.intake import ProblemSink
from provisioner.job import Problem
from provisioner.ledger import ledger_path, open_reader
from provisioner.reconcile import (
    ReconcilePolicy,
    Reconciliation,
    StraySession,
    reconcile,
)
from provisioner.report import configure_logging, event_logger, render_problems
from provisioner.settings import PaceSettings, Settings

_RULINGS = {
    "adopt": "created",
    "resend": "to be sent",
    "give_up": "failed",
    "review": "in need of review",
}


def reconcile_now(jobs: str | None, options: dict[str, Any]) -> int:
    """Settle and tell on stdout; the exit code."""
    settings = _settings(jobs, options)
    refuse_own_results(settings)
    log = configure_logging(options["log_format"], options["log_level"] or "info", sys.stderr)
    found = anyio.run(
        partial(
            reconcile,
            settings,
            ReconcilePolicy(adopt=options["adopt"], wait=options["wait"]),
            on_event=event_logger(log),
            on_problem=_teller(jobs or ""),
        )
    )
    with open_reader(ledger_path(settings.ledger)) as reader:
        rewrite(reader, choose(reader.campaigns(), found.campaign), settings)
    if options["json"]:
        show(msgspec.json.encode(found))
    else:
        show("\n".join(_lines(found)))
    return found.exit_code


def _settings(jobs: str | None, options: dict[str, Any]) -> Settings:
    """Without a job file, the campaign named or the only one there is."""
    campaign = options["campaign"]
    if jobs is None:
        with open_reader(ledger_path(options["ledger"])) as reader:
            campaign = choose(reader.campaigns(), campaign).name
    return Settings(
        input=input_settings(jobs, options),
        campaign=campaign,
        ledger=options["ledger"],
        out=Path(options["out"]) if options["out"] else None,
        service=service_settings(options),
        pace=PaceSettings(rate=options["rate"]),
        settle=options["settle"],
        skip_invalid=options["skip_invalid"],
        results=options["results"],
    )


def _teller(name: str) -> ProblemSink:
    def on_problem(problem: Problem) -> None:
        for line in render_problems(name, [problem]):
            tell(line)

    return on_problem


def _lines(found: Reconciliation) -> Iterator[str]:
    """The strays, which may be many, and after them what it came to."""
    for kind, strays in (("orphan", found.orphans), ("duplicate", found.duplicates)):
        yield from (_line(kind, each) for each in strays)
    settled = [f"{rows:,} {_RULINGS[ruling]}" for ruling, rows in found.settled.items()]
    total = sum(found.settled.values())
    yield f"Campaign {found.campaign}: {total:,} rows settled" + (
        f" ({', '.join(settled)})." if settled else "."
    )
    if found.waiting:
        yield f"{found.waiting:,} rows cannot be settled before {found.due}."
    for connector, why in found.unlisted.items():
        yield f"Voice connector {connector} cannot be listed: {why}"
    yield ", ".join(
        f"{rows:,} {name.replace('_', ' ')}" for name, rows in found.counts.items() if rows
    )
    yield ", ".join((_count(found.duplicates, "duplicate"), _count(found.orphans, "orphan")))


def _count(strays: Sequence[StraySession], kind: str) -> str:
    return f"{len(strays):,} {kind}{'' if len(strays) == 1 else 's'}"


def _line(kind: str, stray: StraySession) -> str:
    row = f" of row {stray.job_key}" if stray.job_key else ""
    owned = f", which has {stray.owned}" if stray.owned else ""
    return (
        f"{kind} {stray.proxy_session_id} ({stray.status}, created {stray.created_at}) "
        f"at {stray.voice_connector_id}{row}{owned}"
    )
