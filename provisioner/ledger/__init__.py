"""The durable record of campaigns, jobs and attempts, in SQLite."""

from provisioner.ledger.connection import ledger_path
from provisioner.ledger.forecast import Closings, Forecast, open_forecast
from provisioner.ledger.group_commit import GroupCommitLedger
from provisioner.ledger.immediate import ImmediateLedger
from provisioner.ledger.reader import SqliteReader, open_reader
from provisioner.ledger.settlement import LedgerSettlement
from provisioner.ledger.sqlite import SqliteLedger

__all__ = [
    "Closings",
    "Forecast",
    "GroupCommitLedger",
    "ImmediateLedger",
    "LedgerSettlement",
    "SqliteLedger",
    "SqliteReader",
    "ledger_path",
    "open_forecast",
    "open_reader",
]
