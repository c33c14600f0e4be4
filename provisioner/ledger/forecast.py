"""A job file looked at before it is recorded: in a throwaway ledger, a copy of what matters."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from provisioner.job import JobState
from provisioner.ledger.connection import connect_to_read, connect_to_throwaway, read_only_uri
from provisioner.ledger.intake import SqliteIntake
from provisioner.ledger.reader import SqliteReader
from provisioner.ledger.statements import SQL
from provisioner.record import CampaignRecord, NewCampaign


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
    """An intake into nowhere, with `known`, the campaign of its name as the ledger has it."""

    def __init__(self, connection: sqlite3.Connection, campaign: NewCampaign) -> None:
        self.known: CampaignRecord | None = SqliteReader(connection).campaign(campaign.name)
        self.intake = SqliteIntake(connection, "in the temporary folder", campaign)

    def overlap(self) -> dict[JobState, int]:
        """The jobs that the campaign had before and that were added again, by state."""
        return self.intake.overlap()

    def closings(self, *, start: float, rate: float | None, needed_until: float | None) -> Closings:
        """When the sessions close if the first is created at `start` and `rate` a second follow.

        Times are epoch seconds. Without a rate all of them count as created at `start`.
        """
        jobs, known, first, last, early = self.intake.closings(
            start=start, interval=1 / rate if rate else 0.0, needed_until=needed_until
        )
        return Closings(first=first, last=last, early=early, unknown=jobs - known)


@contextmanager
def open_forecast(campaign: NewCampaign, ledger: Path | None = None) -> Iterator[Forecast]:
    """A forecast that leaves nothing behind; it knows what `ledger` has, which is only read.

    Raises:
        ConfigurationError: the file is no ledger of this version.
    """
    connection = connect_to_throwaway()
    try:
        connection.execute(SQL["default_expiries"])
        if ledger is not None and ledger.exists():
            connect_to_read(ledger).close()
            _copy(connection, ledger, campaign.name)
        yield Forecast(connection, campaign)
    finally:
        connection.close()


def _copy(connection: sqlite3.Connection, ledger: Path, name: str) -> None:
    """What an intake compares with: the campaign's jobs and what others have yet to finish.

    And connectors' default expiries, as the sessions tell that they gave.
    """
    connection.execute(SQL["attach"], {"uri": read_only_uri(ledger)})
    connection.execute("BEGIN")
    connection.execute(SQL["known_campaigns"])
    connection.execute(SQL["known_jobs"], {"name": name})
    connection.execute(SQL["learn_default_expiries"])
    connection.execute("COMMIT")
    connection.execute("DETACH DATABASE recorded")
