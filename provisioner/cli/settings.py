"""From option values to a frozen Settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from provisioner.settings import (
    InputSettings,
    PaceSettings,
    RowDefaults,
    ServiceSettings,
    Settings,
)


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


def run_settings(jobs: str | None, options: dict[str, Any]) -> Settings:
    """Everything `run` was told."""
    return Settings(
        input=input_settings(jobs, options),
        campaign=options["campaign"],
        ledger=options["ledger"],
        out=Path(options["out"]) if options["out"] else None,
        service=msgspec.structs.replace(
            service_settings(options), connections=options["concurrency"]
        ),
        pace=PaceSettings(
            rate=options["rate"],
            burst=options["burst"],
            max_attempts=options["max_attempts"],
        ),
        settle=options["settle"],
        reconcile=options["reconcile"],
        audit=options["audit"],
        skip_invalid=options["skip_invalid"],
        extend=options["extend"],
        retry_failed=options["retry_failed"],
        limit=options["limit"],
        preflight=options["preflight"],
        results=options["results"],
    )
