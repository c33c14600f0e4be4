"""Provision thousands of Amazon Chime SDK proxy sessions, each exactly once.

`provision(Settings(...))` is one run of a campaign as a coroutine; it returns a `Result`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provisioner.errors import ExitCode, ProvisionerError
    from provisioner.events import Event
    from provisioner.report import Summary
    from provisioner.run import Result, provision
    from provisioner.settings import (
        InputSettings,
        PaceSettings,
        RowDefaults,
        ServiceSettings,
        Settings,
    )

_HOMES = {
    "Event": "events",
    "ExitCode": "errors",
    "InputSettings": "settings",
    "PaceSettings": "settings",
    "ProvisionerError": "errors",
    "Result": "run",
    "RowDefaults": "settings",
    "ServiceSettings": "settings",
    "Settings": "settings",
    "Summary": "report",
    "provision": "run",
}

__all__ = [
    "Event",
    "ExitCode",
    "InputSettings",
    "PaceSettings",
    "ProvisionerError",
    "Result",
    "RowDefaults",
    "ServiceSettings",
    "Settings",
    "Summary",
    "provision",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that the command line starts lightly."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
