"""A job file looked at before it is recorded: in a throwaway ledger, beside the real one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from provisioner.job import JobState
from provisioner.ledger.connection import connect_to_read, connect_to_throwaway, read_only_uri
from provisioner.ledger.intake import SqliteIntake
from provisioner.ledger.statements import SQL
from provisioner.record import NewCampaign


class Closings(msgspec.Struct, frozen=True, kw_only=True):
    """When the sessions to be created will close, epoch seconds.

    `first` and `last` are None where nothing is known of any. `early` will be closed by the time
    they are needed until; of `unknown` nobody knows how long their connector lets them live.
    """

    first: float | None
    last: float | None
    early: int
    unknown: int


class Forecast:
    """An intake into nowhere, and what can be told of the jobs it took.

    `record` into `intake` first. Nothing touches the real ledger but reads.
    """

    def __init__(self, connection: sqlite3.Connection, campaign: NewCampaign) -> None:
        self._connection = connection
        self._campaign = campaign
        self.intake = SqliteIntake(connection, "in the temporary folder", campaign)
        connection.execute(SQL["default_expiries"])

    def overlap(self, ledger: Path) -> dict[JobState, int]:
        """The jobs that the campaign of this name already has in `ledger`, by state.

        From then on they count as what they are there, and connectors' default expiries are known
        from the sessions they gave.

        Raises:
            ConfigurationError: the file is no ledger of this version.
        """
        if not ledger.exists():
            return {}
        connect_to_read(ledger).close()
        self._connection.execute(SQL["attach"], {"uri": read_only_uri(ledger)})
        name = {"name": self._campaign.name}
        found = self._connection.execute(SQL["overlap"], name).fetchall()
        self._connection.execute(SQL["mark_recorded"], name)
        self._connection.execute(SQL["learn_default_expiries"])
        return {JobState(state): count for state, count in found}

    def closings(self, *, start: float, rate: float | None, needed_until: float | None) -> Closings:
        """When the sessions close if the first is created at `start` and `rate` a second follow.

        Times are epoch seconds. Without a rate all of them count as created at `start`.
        """
        jobs, known, first, last, early = self._connection.execute(
            SQL["closings"],
            {
                "start": start,
                "interval": 1 / rate if rate else 0.0,
                "needed_until": needed_until,
            },
        ).fetchone()
        return Closings(first=first, last=last, early=early, unknown=jobs - known)


@contextmanager
def open_forecast(campaign: NewCampaign) -> Iterator[Forecast]:
    """A forecast that leaves nothing behind."""
    connection = connect_to_throwaway()
    try:
        yield Forecast(connection, campaign)
    finally:
        connection.close()
