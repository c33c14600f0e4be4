"""Somebody who edits the ledger by hand, so that rows are sent again, and then thinks better."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


class Meddling:
    """Rows set back to pending that may have a session, or have one."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._states: list[tuple[str, int]] = []

    def set_back(self) -> int:
        """How many rows."""
        with _opened(self._ledger) as connection:
            self._states = connection.execute(
                "SELECT state, id FROM jobs"
                " WHERE state IN ('in_flight', 'ambiguous', 'needs_review', 'created')"
            ).fetchall()
            ids = [(job_id,) for _, job_id in self._states]
            connection.executemany("UPDATE jobs SET state = 'pending' WHERE id = ?", ids)
        return len(ids)

    def undo(self, ledger: Path) -> None:
        """Those that still wait to be sent are again what they were."""
        with _opened(ledger) as connection:
            statement = "UPDATE jobs SET state = ? WHERE id = ? AND state = 'pending'"
            connection.executemany(statement, self._states)


@contextmanager
def _opened(ledger: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(ledger)) as connection, connection:
        yield connection
