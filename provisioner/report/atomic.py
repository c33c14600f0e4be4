"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import TextIO

from provisioner.errors import CannotWriteError

_BUFFER = 1 << 16
_PROBE = 4096
_AGAIN = "then `provisioner results` writes the files again from the ledger"
_HINTS = {
    errno.ENOSPC: f"free some disk space, {_AGAIN}",
    errno.EDQUOT: f"free some of the disk quota, {_AGAIN}",
    errno.ENOTDIR: "name a folder, not a file, with --out",
    errno.EEXIST: "name a folder, not a file, with --out",
    errno.EISDIR: "a folder has the name of a result file: move it, or choose another --out",
}


@contextmanager
def replaced(folder: Path, names: Sequence[str]) -> Iterator[list[TextIO]]:
    """Open one new file per name; together they take the places of the old ones at the end.

    They take text as it is, line ends included, and hold UTF-8. The folder is created 0700 if need
    be, the files 0600. When the block ends well, all are flushed to the disk before the first is
    renamed; when it raises, the old files stay as they were and nothing is left behind.

    Raises:
        CannotWriteError: for any OSError, with the path, the reason and what to do.
    """
    opened: dict[Path, TextIO] = {}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in names:
            _sweep(folder, name)
            temporary = folder / f".{name}.{os.urandom(4).hex()}.tmp"
            opened[temporary] = _create(temporary)
        yield list(opened.values())
        for file in opened.values():
            _settle(file)
        for temporary, name in zip(opened, names, strict=True):
            temporary.replace(folder / name)
        _settle_folder(folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        _discard(opened)


def ensure_writable(folder: Path) -> None:
    """Create the folder, 0700, if need be, and make sure that files can be written into it.

    Raises:
        CannotWriteError: they cannot, or not a block of them.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryFile(dir=folder) as probe:
            probe.write(bytes(_PROBE))
            os.fsync(probe.fileno())
    except OSError as error:
        raise cannot_write(folder, error) from error


def cannot_write(folder: Path, error: OSError) -> CannotWriteError:
    """The error a person meets when `folder`, or a file in it, could not be written."""
    path = error.filename2 or error.filename or folder
    reason = error.strerror or str(error)
    hint = _HINTS.get(error.errno or 0, "choose a folder that can be written with --out")
    return CannotWriteError(f"cannot write {path}: {reason}", hint=hint)


def _create(path: Path) -> TextIO:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    # Held until the file has its place, or its process is dead: how `_sweep` tells a leftover.
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    # What no encoding can say (half a surrogate pair) must not cost the other rows their file.
    return os.fdopen(
        descriptor, "w", _BUFFER, encoding="utf-8", errors="backslashreplace", newline=""
    )


def _sweep(folder: Path, name: str) -> None:
    """Remove what a killed process left of its attempt at a file."""
    for temporary in folder.glob(f".{name}.*.tmp"):
        with suppress(OSError), temporary.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            temporary.unlink()


def _settle(file: TextIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _settle_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _discard(opened: dict[Path, TextIO]) -> None:
    for temporary, file in opened.items():
        # A full disk refuses what the buffer still holds; the file goes away all the same.
        with suppress(OSError):
            file.close()
        temporary.unlink(missing_ok=True)
