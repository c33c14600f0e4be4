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


class Expiries(msgspec.Struct, frozen=True, kw_only=True):
    """ExpiryMinutes over the jobs: how many leave it to the connector, the least, the most."""

    unset: int
    shortest: int | None
    longest: int | None


class Forecast:
    """An intake into nowhere, and what can be told of the jobs it took.

    `record` into `intake` first. Nothing touches the real ledger but reads.
    """

    def __init__(self, connection: sqlite3.Connection, campaign: NewCampaign) -> None:
        self._connection = connection
        self._campaign = campaign
        self.intake = SqliteIntake(connection, "in the temporary folder", campaign)

    def overlap(self, ledger: Path) -> dict[JobState, int]:
        """The jobs that the campaign of this name already has in `ledger`, by state.

        Raises:
            ConfigurationError: the file is no ledger of this version.
        """
        if not ledger.exists():
            return {}
        connect_to_read(ledger).close()
        self._connection.execute(SQL["attach"], {"uri": read_only_uri(ledger)})
        found = self._connection.execute(SQL["overlap"], {"name": self._campaign.name})
        return {JobState(state): count for state, count in found}

    def expiries(self) -> Expiries:
        """How long the sessions will live."""
        jobs, given, shortest, longest = self._connection.execute(SQL["expiries"]).fetchone()
        return Expiries(unset=jobs - given, shortest=shortest, longest=longest)


@contextmanager
def open_forecast(campaign: NewCampaign) -> Iterator[Forecast]:
    """A forecast that leaves nothing behind."""
    connection = connect_to_throwaway()
    try:
        yield Forecast(connection, campaign)
    finally:
        connection.close()
