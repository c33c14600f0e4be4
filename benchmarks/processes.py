"""Processes on cores of their own, and what they cost."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

_LOOK_EVERY = 0.02
_PATIENCE = 1800.0
_CORES = sorted(os.sched_getaffinity(0))
CLIENT_CORE, SERVER_CORE = _CORES[0], _CORES[-1]
_INSTALLED = {"PYTHONDONTWRITEBYTECODE": ""}
"""Byte code is kept, as pip leaves it, whatever the surroundings say."""
TICKS = os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    """What a process printed and took: seconds by the clock and of CPU, peak memory in bytes."""

    output: bytes
    seconds: float
    cpu: float
    memory: int


class FailedError(Exception):
    """A process ended badly; the text is the end of what it said on stderr."""


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """What is started in the block runs on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cost_of(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    codes: Sequence[int] = (0,),
) -> Cost:
    """Run a command on the client's core to its end.

    Raises:
        FailedError: it ended with another exit code than one of `codes`.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        with pinned(CLIENT_CORE):
            process = subprocess.Popen(  # noqa: S603  # the commands are our own
                [str(part) for part in command],
                stdout=out,
                stderr=err,
                cwd=folder,
                env={**os.environ, **_INSTALLED, **(environment or {})},
            )
        cpu, memory = _watch(process)
        seconds = time.perf_counter() - began
        out.seek(0)
        err.seek(0)
        if process.returncode not in codes:
            raise FailedError(f"exit {process.returncode}: {err.read().decode()[-400:].strip()}")
        return Cost(out.read(), seconds, cpu, memory)


def _watch(process: subprocess.Popen[bytes]) -> tuple[float, int]:
    """CPU seconds and peak memory of a process, at its end.

    The peak is VmHWM, looked at every 20 ms: what wait4 tells includes the parent's before exec.
    """
    memory, until = 0, time.monotonic() + _PATIENCE
    while True:
        memory = max(memory, _peak(process.pid))
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage.ru_utime + usage.ru_stime, memory
        if time.monotonic() > until:
            process.kill()
        time.sleep(_LOOK_EVERY)


def _peak(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def cpu_so_far(pids: Sequence[int]) -> float:
    """CPU seconds that living processes have used."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS
