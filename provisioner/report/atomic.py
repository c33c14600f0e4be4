"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from provisioner.errors import CannotWriteError

_BUFFER = 1 << 16
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


def cannot_write(folder: Path, error: OSError) -> CannotWriteError:
    """The error a person meets when `folder`, or a file in it, could not be written."""
    path = error.filename2 or error.filename or folder
    reason = error.strerror or str(error)
    hint = _HINTS.get(error.errno or 0, "choose a folder that can be written with --out")
    return CannotWriteError(f"cannot write {path}: {reason}", hint=hint)


def _create(path: Path) -> TextIO:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    # What no encoding can say (half a surrogate pair) must not cost the other rows their file.
    return os.fdopen(
        descriptor, "w", _BUFFER, encoding="utf-8", errors="backslashreplace", newline=""
    )


def _settle(file: TextIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


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
