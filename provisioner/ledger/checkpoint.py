"""Moving a large commit from the write-ahead log into the ledger's file while work goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Thread

LARGE = 8 << 20
"""Bytes of write-ahead log from which on a commit is worth a thread: a tenth of a second."""

_PAGES = 1_000


@contextmanager
def put_off(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit without moving what was committed: it is on disk, in the write-ahead log."""
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA wal_autocheckpoint = {_PAGES}")


class Checkpoint:
    """Moves what a ledger's write-ahead log holds, in a thread of its own.

    Writers go on meanwhile, and whatever cuts it short loses nothing: SQLite takes it up again
    with one of the next commits. A disk that is full is for those to tell.
    """

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._thread = Thread(target=self._move, name="checkpoint")
        self._thread.start()

    def wait(self) -> None:
        """Until it is done."""
        self._thread.join()

    def _move(self) -> None:
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._ledger)) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


def is_worth_it(ledger: Path) -> bool:
    """Whether the ledger's write-ahead log is large."""
    log = ledger.with_name(ledger.name + "-wal")
    return log.exists() and log.stat().st_size >= LARGE
