"""A campaign of deaths: real processes killed again and again, judged at the emulator.

python -m tests.e2e.kills --kills 50 --seed 1

Each night of 150 rows is killed with SIGKILL at random moments, or told to end by one SIGTERM or
two; some of its processes are stopped before with SIGSTOP and continued, some have a second started
beside them on their ledger, and where strace may trace, some are killed at a random fdatasync. Then
it is run to its end, and every row must have one session, at the service and in one result file.

A line tells of each night as it ends. The campaign ends after as many kills as asked for, or after
--seconds: then with exit code 75.
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
LIVES = 5
"""Processes of a night, before the one that finishes it."""
LATEST_WRITE = 60
PATIENCE = 60.0
"""Seconds after which a process that does not end has hung."""
KILLS = ("killed", "killed at a write")
BROKEN = "nights that broke a promise"


def main() -> int:
    """Exit 1 when a row was lost or made twice, 75 when the time was over before all kills."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1800.0)
    arguments = parser.parse_args()
    total, began = Counter[str](), time.monotonic()
    while _kills(total) < arguments.kills and total["seconds"] < arguments.seconds:
        night = _night(Random(f"{arguments.seed} {total['nights']}"))
        total.update(night)
        total["seconds"] = round(time.monotonic() - began)
        print(f"night {total['nights']}, {total['seconds']} s: {_told(night)}", flush=True)
    print("\n".join(["| | |", "|---|---:|", *(f"| {k} | {v:,} |" for k, v in total.items())]))
    return 1 if total[BROKEN] else 75 if _kills(total) < arguments.kills else 0


def _kills(count: Counter[str]) -> int:
    return sum(count[each] for each in KILLS)


def _told(count: Counter[str]) -> str:
    return ", ".join(f"{value} {what}" for what, value in count.items() if value)


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
    try:
        for _ in range(LIVES):
            at_write = not strace() and random.random() < 1 / 3
            count.update((_die_at_a_write if at_write else _live)(random, terminal, emulator))
        emulator.faults("")
        last = terminal.process(*RUN, "--endpoint-url", emulator.url)
        count["sessions"] = len(sessions(emulator))
        count["needs review"] = len(results(terminal).get("needs_review", []))
        assert last.returncode in {0, 5}, f"exit code {last.returncode}: {last.stderr}"
        assert_each_row_has_one_session(terminal, emulator, JOBS)
    except (AssertionError, subprocess.TimeoutExpired) as broken:
        print(broken, file=sys.stderr, flush=True)
        count[BROKEN] = 1
    return count


def _live(random: Random, terminal: Terminal, emulator: Emulator) -> Counter[str]:
    """A process, what happens to it, and its end, which must be an orderly one or our doing."""
    count: Counter[str] = Counter()
    with terminal.start(*RUN, "--endpoint-url", emulator.url) as process:
        try:
            if random.random() < 1 / 4 and _runs(process, random.uniform(0.6, 1.2)):
                _stop_and_continue(process, random)
                count["stopped and continued"] += 1
            if random.random() < 1 / 8 and _runs(process, random.uniform(0.6, 1.2)):
                count["second instances turned away"] += _is_turned_away(terminal, emulator)
            if _runs(process, random.uniform(0.2, 1.2)):
                count[_end(process, random)] += 1
            _, said = process.communicate(timeout=PATIENCE)
        except BaseException:
            process.kill()
            raise
    assert process.returncode in {0, 5, 75, 143, -signal.SIGKILL, -signal.SIGTERM}, said
    return count


def _runs(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether it still does after so long."""
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def _stop_and_continue(process: subprocess.Popen[str], random: Random) -> None:
    process.send_signal(signal.SIGSTOP)
    time.sleep(random.uniform(0.1, 2.0))
    process.send_signal(signal.SIGCONT)


def _is_turned_away(terminal: Terminal, emulator: Emulator) -> bool:
    """By the first, if that still runs."""
    second = terminal.process(*RUN, "--endpoint-url", emulator.url)
    assert second.returncode in {0, 5, 75}, second.stderr
    return "is in use by" in second.stderr


def _end(process: subprocess.Popen[str], random: Random) -> str:
    """Have it end; in which way."""
    if random.random() < 3 / 4:
        process.kill()
        return "killed"
    process.terminate()
    if random.random() < 1 / 2 or not _runs(process, random.uniform(0.0, 0.05)):
        return "told to end"
    process.terminate()
    return "told to end twice"


def _die_at_a_write(random: Random, terminal: Terminal, emulator: Emulator) -> Counter[str]:
    when = random.randint(1, LATEST_WRITE)
    trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync"]
    inject = ["-e", f"inject=fdatasync:signal=SIGKILL:when={when}"]
    done = subprocess.run(
        [*trace, *inject, COMMAND, *map(str, RUN), "--endpoint-url", emulator.url],
        cwd=terminal.folder,
        env=environment(),
        capture_output=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    killed = done.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}
    return Counter({"killed at a write": int(killed)})


if __name__ == "__main__":
    sys.exit(main())
