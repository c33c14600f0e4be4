"""What a monitor reads while a run goes on: a small JSON file, replaced every few seconds."""

from __future__ import annotations

from pathlib import Path

import msgspec

from provisioner.errors import CannotWriteError, UsageError
from provisioner.report.atomic import replaced
from provisioner.report.exits import file_counts
from provisioner.report.moments import iso
from provisioner.report.tally import RunTally

_HINT = "see --heartbeat"
_LONGEST = 65_536
"""Bytes, many times what a heartbeat has."""


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """A run at a moment, the members of the file in order.

    `at` and `started` are ISO-8601 in UTC, `started` None before the first call could be sent.
    `counts` are the campaign's rows by result file, empty until then. `calls`, `throttled` and
    `in_flight` are this run's calls, `rate` is calls/s lately, `rate_learned` where the pace
    stands once it has moved, `eta_seconds` None while nobody can tell. `stopped` is why no call
    starts any more; `exit_code` is None while the run goes on.
    """

    schema: int = 1
    pid: int
    campaign: str
    at: str
    started: str | None
    rows: int
    counts: dict[str, int]
    calls: int
    throttled: int
    in_flight: int
    rate: float
    rate_learned: float | None
    eta_seconds: float | None
    stopped: str | None
    exit_code: int | None


def heartbeat(tally: RunTally, *, now: float, pid: int, exit_code: int | None = None) -> Heartbeat:
    """Where a run stands at `now`, epoch seconds."""
    remaining = tally.remaining_seconds(now)
    return Heartbeat(
        pid=pid,
        campaign=tally.campaign,
        at=iso(now),
        started=None if tally.started is None else iso(tally.started),
        rows=tally.total,
        counts=file_counts(tally.counts) if tally.counts else {},
        calls=tally.calls,
        throttled=tally.throttled,
        in_flight=tally.in_flight,
        rate=round(tally.rate(now), 3),
        rate_learned=tally.rate_learned,
        eta_seconds=None if remaining is None else round(remaining, 1),
        stopped=tally.stopped,
        exit_code=exit_code,
    )


def write_heartbeat(beat: Heartbeat, path: Path) -> None:
    """Replace the file.

    Raises:
        CannotWriteError: the file that was there is untouched.
    """
    try:
        with replaced(path.absolute().parent, [path.name]) as (file,):
            file.write(msgspec.json.encode(beat).decode() + "\n")
    except CannotWriteError as error:
        raise CannotWriteError(str(error), hint=_HINT) from error


def refuse_other_than_heartbeat(path: Path) -> None:
    """Refuse a path where something is that no heartbeat was: a job file, a ledger, a device.

    Raises:
        UsageError: it would be lost.
        CannotWriteError: it cannot be looked at.
    """
    try:
        if not path.exists() or (path.is_file() and _holds_heartbeat(path)):
            return
    except OSError as error:
        raise CannotWriteError(f"cannot read {path}: {error.strerror}", hint=_HINT) from error
    raise UsageError(
        f"--heartbeat {path} would replace a file that is no heartbeat",
        hint="name another file, or remove that one",
    )


def _holds_heartbeat(path: Path) -> bool:
    with path.open("rb") as file:
        text = file.read(_LONGEST)
    try:
        msgspec.json.decode(text, type=Heartbeat)
    except msgspec.DecodeError:
        return not text
    return True
