"""A campaign of deaths: real processes killed again and again, judged at the emulator.

python -m tests.e2e.kills --kills 50 --seed 1

Each night of 150 rows is killed with SIGKILL at random moments, some of its processes stopped
before with SIGSTOP and continued, and where strace may trace, killed at a random fdatasync. Then it
is run to its end, and every row must have one session, at the service and in one result file.
"""

# ruff: noqa: T201  # what it finds goes to the terminal

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from anyio.from_thread import start_blocking_portal

from provisioner.emulator.http import serve
from provisioner.emulator.settings import EmulatorSettings
from tests.e2e.conftest import COMMAND, Emulator, Terminal, environment
from tests.e2e.test_processes import (
    JOBS,
    RUN,
    assert_each_row_has_one_session,
    results,
    sessions,
    strace,
)

FAULTS = "latency=20ms~20ms,throttle=2%,lost=2%,failure_after=1%"
KILLS_A_NIGHT = 5
LATEST_WRITE = 60


def main() -> int:
    """Exit 1 when a row was lost or made twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    random, count, began = Random(arguments.seed), Counter[str](), time.monotonic()
    while count["processes killed"] + count["killed at a write"] < arguments.kills:
        count.update(_night(random))
    count["seconds"] = round(time.monotonic() - began)
    print("\n".join(["| | |", "|---|---:|", *(f"| {k} | {v:,} |" for k, v in count.items())]))
    return bool(count["nights that broke a promise"])


def _night(random: Random) -> Counter[str]:
    with (
        tempfile.TemporaryDirectory() as folder,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serve(EmulatorSettings())) as server,
    ):
        return _killed_night(random, Path(folder), Emulator(server.url))


def _killed_night(random: Random, folder: Path, emulator: Emulator) -> Counter[str]:
    terminal = Terminal(folder, captured=None)  # type: ignore[arg-type]  # it types no command here
    terminal.jobs(JOBS)
    emulator.faults(FAULTS)
    count = Counter({"nights": 1, "rows": JOBS})
    for _ in range(KILLS_A_NIGHT):
        at_write = not strace() and random.random() < 1 / 3
        count.update((_die_at_a_write if at_write else _die)(random, terminal, emulator))
    emulator.faults("")
    last = terminal.process(*RUN, "--endpoint-url", emulator.url)
    count["sessions"] = len(sessions(emulator))
    count["needs review"] = len(results(terminal).get("needs_review", []))
    try:
        assert_each_row_has_one_session(terminal, emulator, JOBS)
    except AssertionError:
        print(f"exit code {last.returncode}: {last.stderr}", file=sys.stderr)
        count["nights that broke a promise"] += 1
    return count


def _die(random: Random, terminal: Terminal, emulator: Emulator) -> Counter[str]:
    process = terminal.start(*RUN, "--endpoint-url", emulator.url)
    count: Counter[str] = Counter()
    if random.random() < 1 / 4 and _runs(process, random.uniform(0.6, 1.2)):
        process.send_signal(signal.SIGSTOP)
        time.sleep(random.uniform(0.1, 2.0))
        process.send_signal(signal.SIGCONT)
        count["stopped and continued"] += 1
    if _runs(process, random.uniform(0.2, 1.2)):
        process.kill()
        count["processes killed"] += 1
    process.communicate(timeout=60)
    return count


def _runs(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether it still does after so long."""
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def _die_at_a_write(random: Random, terminal: Terminal, emulator: Emulator) -> Counter[str]:
    when = random.randint(1, LATEST_WRITE)
    trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync"]
    inject = ["-e", f"inject=fdatasync:signal=SIGKILL:when={when}"]
    done = subprocess.run(
        [*trace, *inject, COMMAND, *map(str, RUN), "--endpoint-url", emulator.url],
        cwd=terminal.folder,
        env=environment(),
        capture_output=True,
        timeout=120,
        check=False,
    )
    killed = done.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}
    return Counter({"killed at a write": int(killed)})


if __name__ == "__main__":
    sys.exit(main())
