"""From option values to a frozen Settings."""

from __future__ import annotations

import time
from contextlib import suppress
from os.path import realpath, split
from pathlib import Path
from typing import Any

import msgspec

from provisioner.campaign import campaign_name, out_folder
from provisioner.errors import UsageError
from provisioner.report.record import FILE_NAMES
from provisioner.settings import (
    InputSettings,
    PaceSettings,
    RowDefaults,
    ServiceSettings,
    Settings,
)
from provisioner.wall_time import next_time, zone_named

_RESULT_FILES = {"summary.json"} | {
    f"{name}.{extension}" for name in FILE_NAMES for extension in ("csv", "tsv", "jsonl")
}


def input_settings(jobs: str | None, options: dict[str, Any]) -> InputSettings | None:
    """How to read the job file; None without one."""
    if jobs is None:
        return None
    return InputSettings(
        path=jobs,
        format=options["format"],
        encoding=options["encoding"],
        defaults=RowDefaults(**{name: options[name] for name in RowDefaults.__struct_fields__}),
    )


def service_settings(options: dict[str, Any]) -> ServiceSettings:
    """Where the service is."""
    return ServiceSettings(
        region=options["region"],
        profile=options["profile"],
        endpoint_url=options["endpoint_url"],
        timeout=options["timeout"],
    )


def deadline(options: dict[str, Any], now: float) -> float | None:
    """When to be done, epoch seconds: the earlier of --deadline and --max-duration, if any."""
    at, longest = options["deadline"], options["max_duration"]
    moments = [
        None if at is None else next_time(at, zone_named(options["time_zone"]), now),
        None if longest is None else now + longest,
    ]
    return min((each for each in moments if each is not None), default=None)


def refuse_own_results(settings: Settings, heartbeat: Path | None = None) -> None:
    """Refuse a job file or a heartbeat where the run's own result files go.

    Raises:
        UsageError: naming it.
    """
    jobs = settings.input.path if settings.input is not None else "-"
    out = out_folder(settings, campaign_name(settings))
    for what, path in (("the job file", jobs), ("the heartbeat", heartbeat or "-")):
        if path != "-" and _is_result(path, out):
            raise UsageError(
                f"the results would replace {what} {path}",
                hint="choose another folder with --out, or another name for that file",
            )


def _is_result(path: str | Path, out: Path) -> bool:
    # Unlike Path.resolve, realpath takes a link that leads nowhere as it is.
    folder, name = split(realpath(path))
    return name in _RESULT_FILES and folder == realpath(out)


def named(jobs: str | None, options: dict[str, Any]) -> str | None:
    """What the campaign is called that a run is about; what it was told where that is no name."""
    told: str | None = options["campaign"]
    if jobs is not None or told is not None:
        with suppress(UsageError):
            return campaign_name(Settings(input=input_settings(jobs, options), campaign=told))
    return told


def run_settings(jobs: str | None, options: dict[str, Any]) -> Settings:
    """Everything `run` was told."""
    return Settings(
        input=input_settings(jobs, options),
        campaign=options["campaign"],
        ledger=options["ledger"],
        out=Path(options["out"]) if options["out"] else None,
        service=msgspec.structs.replace(
            service_settings(options),
            connections=options["concurrency"],
            sdk_path=options["sdk_path"],
        ),
        pace=PaceSettings(
            rate=options["rate"],
            timetable=options["rate_schedule"],
            burst=options["burst"],
            max_attempts=options["max_attempts"],
            give_up=options["give_up"],
        ),
        settle=options["settle"],
        reconcile=options["reconcile"],
        audit=options["audit"],
        skip_invalid=options["skip_invalid"],
        extend=options["extend"],
        retry_failed=options["retry_failed"],
        limit=options["limit"],
        deadline=deadline(options, time.time()),
        time_zone=options["time_zone"],
        halt=options["halt"],
        max_rows=None if options["yes"] else options["max_rows"],
        preflight=options["preflight"],
        results=options["results"],
    )
