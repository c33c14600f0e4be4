"""The bytes of a job file: where they lie, and their digest before the first of them is read."""

import os
import stat
import sys
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

import msgspec

from provisioner.errors import CannotWriteError, InputMissingError, InputRefusedError

STANDARD_INPUT = "-"
_CHUNK = 1 << 20


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """An open job file that stands at its beginning; `stamp` tells whether it changed since."""

    name: str
    sha256: str
    stream: BinaryIO
    stamp: tuple[int, int]

    def check_unchanged(self) -> None:
        """Make sure that the digest still speaks of what was read.

        Raises:
            InputRefusedError: somebody wrote to the file meanwhile.
        """
        if _stamp(self.stream) != self.stamp:
            raise InputRefusedError(
                "it changed while it was being read",
                hint="run again once nobody writes to it",
            )


def open_input(path: str) -> Input:
    """Open a path, or standard input for `-`; a pipe is kept in a private temporary file.

    Raises:
        InputMissingError: it does not exist, is a folder, or may not be read.
        CannotWriteError: no room for the temporary file.
    """
    if path == STANDARD_INPUT:
        return _spooled(STANDARD_INPUT, _standard_input())
    name = Path(path).name
    stream = _open(path)
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        with stream:
            return _spooled(name, stream)
    stamp = _stamp(stream)
    digest = _digest(stream, name)
    stream.seek(0)
    return Input(name=name, sha256=digest, stream=stream, stamp=stamp)


def _open(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except FileNotFoundError as error:
        raise InputMissingError(
            f"{path}: there is no such file",
            hint="check the path; - reads standard input",
        ) from error
    except IsADirectoryError as error:
        raise InputMissingError(
            f"{path} is a folder", hint="name one job file inside it"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputMissingError(
            f"{path} cannot be opened: {reason}", hint="check its permissions and the path"
        ) from error


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise InputMissingError(
            "standard input is closed", hint="pipe the job file in, or name its path"
        )
    return sys.stdin.buffer


def _stamp(stream: BinaryIO) -> tuple[int, int]:
    status = os.fstat(stream.fileno())
    return status.st_size, status.st_mtime_ns


def _digest(stream: BinaryIO, name: str, copy: BinaryIO | None = None) -> str:
    digest = sha256()
    while chunk := _read(stream, name):
        digest.update(chunk)
        if copy is not None:
            copy.write(chunk)
    return digest.hexdigest()


def _read(stream: BinaryIO, name: str) -> bytes:
    try:
        return stream.read(_CHUNK)
    except OSError as error:
        raise InputMissingError(
            f"{name} cannot be read: {error.strerror}", hint="check the disk it lies on"
        ) from error


def _spooled(name: str, stream: BinaryIO) -> Input:
    try:
        with ExitStack() as on_failure:
            copy = on_failure.enter_context(TemporaryFile())
            digest = _digest(stream, name, copy)
            copy.seek(0)
            on_failure.pop_all()
    except OSError as error:
        raise CannotWriteError(
            f"{name} cannot be kept in a temporary file: {error.strerror}",
            hint="free some space, or point TMPDIR at a disk that has it",
        ) from error
    return Input(name=name, sha256=digest, stream=copy, stamp=_stamp(copy))
