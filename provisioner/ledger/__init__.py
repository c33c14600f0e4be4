"""The durable record of campaigns, jobs and attempts, in SQLite."""

from provisioner.ledger.connection import connect_to_throwaway, ledger_path
from provisioner.ledger.group_commit import GroupCommitLedger
from provisioner.ledger.immediate import ImmediateLedger
from provisioner.ledger.intake import SqliteIntake
from provisioner.ledger.reader import SqliteReader, open_reader
from provisioner.ledger.sqlite import SqliteLedger

__all__ = [
    "GroupCommitLedger",
    "ImmediateLedger",
    "SqliteIntake",
    "SqliteLedger",
    "SqliteReader",
    "connect_to_throwaway",
    "ledger_path",
    "open_reader",
]
