"""Every error a user can meet; each knows its exit code and what to do next.

ProvisionerError            1
├── UsageError              2   options that contradict each other
├── HaltedError             4   too many rows failed
├── InputRefusedError      65   the job file cannot be used; nothing was sent
├── InputMissingError      66   the job file cannot be opened
├── ServiceError           69   the service cannot be used or reached
│   └── ConnectorError     69   a connector is missing or disabled
├── CannotWriteError       74   the ledger or the results cannot be written
├── LedgerLockedError      75   another run holds the ledger
├── StoppedError           75   asked to stop before anything was recorded
├── CredentialsError       77   no credentials, or they may not make the call
└── ConfigurationError     78   a setting that cannot be used
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process tells its caller; the contract's table."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    ROWS_FAILED = 3
    HALTED = 4
    NEEDS_REVIEW = 5
    INPUT_REFUSED = 65
    INPUT_MISSING = 66
    SERVICE = 69
    CANNOT_WRITE = 74
    STOPPED_EARLY = 75
    CREDENTIALS = 77
    CONFIGURATION = 78
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class ProvisionerError(Exception):
    """Base of the tree: `str(error)` says what happened and where, `hint` what to do next."""

    exit_code: ClassVar[ExitCode] = ExitCode.UNEXPECTED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(ProvisionerError):
    """Options that contradict each other."""

    exit_code = ExitCode.USAGE


class HaltedError(ProvisionerError):
    """A halt rule was broken: too many rows failed."""

    exit_code = ExitCode.HALTED


class InputRefusedError(ProvisionerError):
    """The job file, or the way it is asked to be used, is refused; no call was made."""

    exit_code = ExitCode.INPUT_REFUSED


class TooManyRowsError(InputRefusedError):
    """More rows would be sent than the run may send without being asked."""


class InputMissingError(ProvisionerError):
    """The job file does not exist or cannot be opened."""

    exit_code = ExitCode.INPUT_MISSING


class ServiceError(ProvisionerError):
    """The service cannot be used or reached."""

    exit_code = ExitCode.SERVICE


class ConnectorError(ServiceError):
    """A voice connector is missing or disabled; others may be usable."""


class CannotWriteError(ProvisionerError):
    """The ledger or the results cannot be written: permissions, a full disk, a damaged file."""

    exit_code = ExitCode.CANNOT_WRITE


class LedgerLockedError(ProvisionerError):
    """Another process holds the ledger."""

    exit_code = ExitCode.STOPPED_EARLY


class StoppedError(ProvisionerError):
    """Asked to stop while the job file was being recorded; nothing of it was."""

    exit_code = ExitCode.STOPPED_EARLY


class CredentialsError(ProvisionerError):
    """There are no credentials, or they may not make this call."""

    exit_code = ExitCode.CREDENTIALS


class ConfigurationError(ProvisionerError):
    """A setting cannot be used."""

    exit_code = ExitCode.CONFIGURATION


@contextmanager
def ungrouped() -> Iterator[None]:
    """Raise the first error of a task group's instead of the group: its siblings add nothing."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise _first(group) from group


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
