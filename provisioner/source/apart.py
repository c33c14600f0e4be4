"""A large job file is read by a process of its own, so that recording it has a core to itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from subprocess import PIPE, Popen
from typing import IO

import msgspec

from provisioner.entry import Block, Entry
from provisioner.errors import InputMissingError, InputRefusedError, ProvisionerError, StoppedError
from provisioner.record import Layout
from provisioner.settings import InputSettings

LARGE = 8 << 20
"""Bytes from which on a second process pays for its start, a quarter of a second of CPU."""

_READER = (sys.executable, "-P", "-m", "provisioner.source.reader")
_LENGTH_BYTES = 4
_ERRORS = {kind.__name__: kind for kind in (InputRefusedError, InputMissingError)}


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What the other process has to know of the job file, which is its standard input."""

    settings: InputSettings
    campaign: str
    name: str
    sha256: str
    stamp: tuple[int, int]


class End(msgspec.Struct, frozen=True, kw_only=True, tag="end"):
    """What follows the last row: the file's layout, or the error that cut the reading short."""

    layout: Layout | None = None
    error: str = ""
    message: str = ""
    hint: str = ""


def told(error: ProvisionerError) -> End:
    """The end that an error makes."""
    return End(error=type(error).__name__, message=str(error), hint=error.hint)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Entry] | Block | End).decode


def write_frame(out: IO[bytes], content: Sequence[Entry] | Block | End) -> None:
    """Send rows, or what follows the last of them."""
    body = _encode(content)
    out.write(len(body).to_bytes(_LENGTH_BYTES))
    out.write(body)


def read_frames(stream: IO[bytes]) -> Iterator[list[Entry] | Block | End]:
    """What was sent, as far as it arrived whole."""
    while head := stream.read(_LENGTH_BYTES):
        length = int.from_bytes(head)
        body = stream.read(length)
        if len(body) < length:
            return
        yield _decode(body)


class EntriesApart:
    """A job file's entries, in their order, from a process that reads and validates them.

    The process is in no terminal's foreground: what interrupts this one leaves it alone, and it
    ends with the iteration, wherever that stops.
    """

    def __init__(self, reading: Reading, stream: IO[bytes]) -> None:
        self._reading = reading
        self._stream = stream
        self._layout: Layout | None = None

    def layout(self) -> Layout:
        """The file's shape; only once the rows are exhausted."""
        if self._layout is None:
            raise RuntimeError("a job file has no layout before its rows are read")
        return self._layout

    def __iter__(self) -> Iterator[Sequence[Entry] | Block]:
        command = [*_READER, msgspec.json.encode(self._reading).decode()]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with Popen(  # noqa: S603  # this interpreter and our own module
            command, stdin=self._stream, stdout=PIPE, env=environment, start_new_session=True
        ) as process:
            try:
                assert process.stdout is not None  # noqa: S101  # it is a pipe
                yield from self._received(read_frames(process.stdout))
            except BaseException:
                process.kill()
                raise
        if self._layout is None:
            self._explain(process.returncode)

    def _received(
        self, frames: Iterable[list[Entry] | Block | End]
    ) -> Iterator[Sequence[Entry] | Block]:
        for frame in frames:
            if not isinstance(frame, End):
                yield frame
            elif frame.error:
                raise _ERRORS[frame.error](frame.message, hint=frame.hint)
            else:
                self._layout = frame.layout

    def _explain(self, code: int) -> None:
        if code < 0:
            raise StoppedError(
                f"the process that read {self._reading.name} was killed (signal {-code}); "
                "nothing was recorded or sent",
                hint="see that there is memory enough, then run the same command again",
            )
        raise RuntimeError(f"the process that read {self._reading.name} ended with {code}")
