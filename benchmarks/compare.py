"""The same calls by every contender, interleaved, against one constant server."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks.contenders import CONTENDERS, Contender, Run, ours, peer
from benchmarks.processes import FailedError
from benchmarks.server import Server, ceiling, constant_server

_WARM_UP = 200


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One round of one contender: calls/s, µs of CPU a call, seconds, MB; `server` its CPU share.

    The CPU is that of the whole process less that of a process which makes 200 calls, so that
    start-up does not count and everything else does. `whole` is calls/s of the whole process,
    start-up included.
    """

    rate: float
    cpu: float
    p50: float
    p99: float
    memory: float
    whole: float
    server: float


class Line(msgspec.Struct, kw_only=True):
    """What is known of one contender; `absent` says why there is nothing."""

    name: str
    samples: list[Sample] = []
    start_up: float = 0.0
    absent: str = ""

    def median(self, figure: str) -> float:
        """Of one figure over the rounds."""
        return statistics.median(self._values(figure))

    def spread(self, figure: str) -> tuple[float, float]:
        """The lowest and the highest of one figure."""
        return min(self._values(figure)), max(self._values(figure))

    def _values(self, figure: str) -> list[float]:
        return [getattr(sample, figure) for sample in self.samples]


class Comparison(msgspec.Struct, kw_only=True):
    """All lines, and what the server can do: calls/s with a load generator, None without one."""

    server: str
    ceiling: float | None
    lines: list[Line]


class _Entry:
    """A contender that is ready to run."""

    def __init__(self, contender: Contender, folder: Path, server: Server) -> None:
        self.line = Line(name=contender.name)
        self._contender = contender
        self._folder = folder
        self._server = server
        self._warm: Run | None = None

    def prepare(self) -> None:
        """Build it and run it once, short."""
        with _excused(self.line):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._command = self._contender.prepare(self._folder)
            self._warm = self._run(_WARM_UP)
            self.line.start_up = self._warm.cost.seconds

    def round(self, scale: float) -> None:
        """One more sample, if it is able."""
        if self._warm is None or self.line.absent:
            return
        with _excused(self.line):
            before = self._server.cpu()
            run = self._run(max(int(self._contender.calls * scale), 2 * _WARM_UP))
            used = self._server.cpu() - before
            cpu = (run.cost.cpu - self._warm.cost.cpu) / (run.calls - self._warm.calls)
            self.line.samples.append(
                Sample(
                    rate=run.calls / run.seconds,
                    cpu=cpu * 1e6,
                    p50=run.p50,
                    p99=run.p99,
                    memory=run.cost.memory / 1e6,
                    whole=run.calls / run.cost.seconds,
                    server=used / run.seconds,
                )
            )

    def _run(self, calls: int) -> Run:
        if self._contender.name.startswith("provisioner"):
            return ours(self._command, self._server.url, calls, self._folder / "run")
        return peer(self._command, self._server.url, calls)


@contextmanager
def _excused(line: Line) -> Iterator[None]:
    """One that fails is told of and loses nobody else's figures."""
    try:
        yield
    except (FailedError, OSError, ValueError, KeyError) as error:
        line.absent = " ".join(str(error).split())[-200:]


def compare(
    folder: Path, *, rounds: int, scale: float, told: Callable[[Comparison], None]
) -> Comparison:
    """Every contender once a round; `told` hears the figures so far after each round."""
    with constant_server(folder) as server:
        entries = [
            _Entry(each, folder / str(place), server) for place, each in enumerate(CONTENDERS)
        ]
        found = Comparison(
            server=server.kind,
            ceiling=ceiling(server, folder, 3),
            lines=[entry.line for entry in entries],
        )
        _say("preparing: " + ", ".join(each.name for each in CONTENDERS))
        for entry in entries:
            entry.prepare()
        for number in range(rounds):
            _round(entries, scale)
            _say(f"round {number + 1} of {rounds} done")
            told(found)
    return found


def _round(entries: Sequence[_Entry], scale: float) -> None:
    for entry in entries:
        entry.round(scale)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
