"""One process per ledger: a lock that dies with its holder."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Self

from provisioner.errors import CannotWriteError, LedgerLockedError


def is_held(ledger: Path) -> bool:
    """Whether a process holds a ledger; found out by sharing its lock for a moment."""
    try:
        with _lock_file(ledger).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


class LedgerLock:
    """An advisory lock on `<ledger>.lock`, which names its holder.

    The kernel releases it when the process ends, however it ends: a file left behind by a dead
    process is no lock.

    Raises:
        LedgerLockedError: another process holds it; the message says which, and since when.
        CannotWriteError: the lock file cannot be created.
    """

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._path = _lock_file(ledger)
        self._descriptor = -1

    def __enter__(self) -> Self:
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._sign()
        except BlockingIOError:
            holder = self._holder()
            self._release()
            raise LedgerLockedError(
                f"{self._ledger} is in use by {holder}",
                hint="wait for that run to end, or give this one another --ledger",
            ) from None
        except OSError as error:
            self._release()
            raise CannotWriteError(
                f"cannot lock {self._ledger}: {error.strerror}",
                hint="the ledger's folder must exist and be writable; see --ledger",
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    def _sign(self) -> None:
        note = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "command": Path(sys.argv[0]).name,
        }
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(note).encode(), 0)

    def _holder(self) -> str:
        try:
            note = json.loads(os.pread(self._descriptor, 4096, 0))
            return f"process {note['pid']} on {note['host']} since {note['since']}"
        except (ValueError, KeyError, TypeError):
            return "another process"

    def _release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _lock_file(ledger: Path) -> Path:
    return ledger.with_name(ledger.name + ".lock")
