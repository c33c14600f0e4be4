"""How SQLite is opened, and its errors told in the house's terms."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from provisioner.errors import CannotWriteError, ConfigurationError
from provisioner.ledger.statements import APPLICATION_ID, KEPT, SCHEMA, SCHEMA_VERSION

MEDDLED = "was the ledger edited by hand, or by another program?"
"""What to look into when a ledger holds what the product never writes."""

_CACHE_KIB = 65_536
_PAGE_BYTES = 8_192
"""Of a new ledger: half as many pages to write for a job file as with SQLite's own 4,096."""

_SAFE = "free the disk or mend the file, then run the same command again: what was recorded is safe"
_LOST = (
    "if this is the ledger, it is damaged: move it and its -wal file away, then make it anew with "
    "`provisioner reconcile JOBFILE --adopt`, which records the sessions that are at the service"
)
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRIMARY = 0xFF
"""The bits of an error code that tell its kind."""

_BUSY_SECONDS = 10.0
_SQLITE_SCHEME = "sqlite:///"


def ledger_path(ledger: str) -> Path:
    """The file that `--ledger PATH|URL` means.

    Raises:
        ConfigurationError: a URL of a database that is not supported.
        CannotWriteError: a folder, or links that lead to no file.
    """
    path = Path(ledger.removeprefix(_SQLITE_SCHEME))
    try:
        path.resolve()
    except (OSError, RuntimeError):  # a RuntimeError before Python 3.13
        raise CannotWriteError(
            f"the ledger {ledger} is a link that leads to no file", hint="name a file"
        ) from None
    if path.is_dir():
        raise CannotWriteError(f"the ledger {ledger} is a folder", hint="name a file in it")
    if "://" in ledger and not ledger.startswith(_SQLITE_SCHEME):
        raise ConfigurationError(
            f"--ledger {ledger.split('://', maxsplit=1)[0]}://… is not supported",
            hint="give a file path, or sqlite:///PATH",
        )
    return path


@contextmanager
def writing(where: object) -> Iterator[None]:
    """Turn what SQLite or the system says of the ledger at `where` into CannotWriteError."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise CannotWriteError(
            f"the ledger {where} refuses a row that would break a promise: {error}", hint=MEDDLED
        ) from error
    except (sqlite3.Error, OSError) as error:
        raise unusable(where, error) from error


def unusable(where: object, error: sqlite3.Error | OSError) -> CannotWriteError:
    """The error for a ledger that the disk, its permissions or its contents make useless."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    return CannotWriteError(
        f"the ledger {where} cannot be used: {reason}",
        hint=_LOST if code in _DAMAGE else _SAFE,
    )


def identity(path: Path) -> tuple[int, int]:
    """Which file a name stands for: its device and inode."""
    found = path.stat()
    return found.st_dev, found.st_ino


def connect_to_write(path: Path) -> sqlite3.Connection:
    """Open, or create 0600, a ledger file: WAL, every commit on disk before it returns."""
    with writing(path):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        _refuse_foreign(path)
        connection = _connect(str(path.absolute()))
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            _create(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def connect_to_throwaway() -> sqlite3.Connection:
    """A private ledger that spills to a temporary file and vanishes when it is closed."""
    with writing("in the temporary folder"):
        connection = _connect("file:", uri=True)
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(SCHEMA)
        return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a ledger file that is there, for reading only; a run may be writing to it.

    Raises:
        ConfigurationError: there is no such ledger, or it is of another version.
    """
    if not path.exists():
        raise ConfigurationError(
            f"there is no ledger at {path}",
            hint="name it with --ledger; `provisioner run` creates it",
        )
    try:
        connection = _connect(read_only_uri(path), uri=True)
        _check_ours(connection, path)
    except sqlite3.Error as error:
        raise ConfigurationError(
            f"cannot read the ledger {path}: {error}", hint="is it a ledger of provisioner?"
        ) from error
    return connection


def read_only_uri(path: Path) -> str:
    """A WAL database wants to create its shared memory; where it cannot, nobody writes either."""
    settled = not path.with_name(path.name + "-wal").exists()
    frozen = settled and not os.access(path.parent, os.W_OK)
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if frozen else ''}"


def _connect(database: str, *, uri: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(
        database,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=KEPT,
        uri=uri,
    )
    connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return connection


def _refuse_foreign(path: Path) -> None:
    """Look before anything is changed: turning on WAL writes to the file.

    A process that was killed while it did that has left a journal, which has to be played back
    before anybody can look.
    """
    if path.stat().st_size == 0:
        return
    interrupted = path.with_name(path.name + "-journal").exists()
    uri = f"{path.absolute().as_uri()}?mode=rw" if interrupted else read_only_uri(path)
    with closing(_connect(uri, uri=True)) as connection:
        if not _is_empty(connection):
            _check_ours(connection, path)


def _create(connection: sqlite3.Connection) -> None:
    if _is_empty(connection):
        connection.executescript(
            f"BEGIN EXCLUSIVE; {SCHEMA} PRAGMA application_id = {APPLICATION_ID}; "
            f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema").fetchone() is None


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise ConfigurationError(
            f"{path} is a database of another program, not a ledger",
            hint="name another file with --ledger; this one was left as it is",
        )
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        raise ConfigurationError(
            f"the ledger {path} has schema version {version}, this is version {SCHEMA_VERSION}",
            hint="use the version of provisioner that wrote it, or another --ledger",
        )
