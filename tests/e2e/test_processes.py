"""Real processes killed, stopped and cut off; judged at the emulator, not by what they say."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random

import pytest

from tests.e2e.conftest import COMMAND, Emulator, Terminal, environment

JOBS = 150
RATE = 150
# Loopback answers and lists at once: proof of absence needs no quarter of an hour.
RUN = ("run", "night.csv", "--rate", RATE, "--settle", "1s", "--timeout", "1s", "--concurrency", 16)


def sessions(emulator: Emulator) -> list[dict[str, str]]:
    """Every session ever made, from the emulator's own record."""
    with urllib.request.urlopen(f"{emulator.url}/_emulator/sessions", timeout=10) as answer:  # noqa: S310  # loopback
        return [json.loads(line) for line in answer]


def results(terminal: Terminal) -> dict[str, list[dict[str, str]]]:
    """The rows of each result file."""
    found = {}
    for path in (terminal.folder / "out/night").glob("*.csv"):
        with path.open(newline="", encoding="utf-8-sig") as file:
            found[path.stem] = list(csv.DictReader(file))
    return found


def assert_each_row_has_one_session(terminal: Terminal, emulator: Emulator, jobs: int) -> None:
    """Nothing lost, nothing twice, each row in exactly one file."""
    files = results(terminal)
    rows = Counter(row["_row"] for file in files.values() for row in file)
    assert len(rows) == jobs
    assert set(rows.values()) == {1}
    made = sessions(emulator)
    by_name = {session["name"]: session["id"] for session in made}
    assert len(by_name) == len(made)
    created = {row["_name"]: row["_proxy_session_id"] for row in files["created"]}
    assert created.items() <= by_name.items()
    unsettled = {row["_name"] for row in files["needs_review"]}
    assert by_name.keys() <= created.keys() | unsettled


def finish(terminal: Terminal, emulator: Emulator) -> None:
    """Run until there is nothing left to do, as an operator would."""
    done = terminal(*RUN, "--endpoint-url", emulator.url)
    assert done.returncode in {0, 5}, done.stderr


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_again_and_again_a_campaign_ends_with_each_row_once(
    terminal: Terminal, emulator: Emulator, seed: int
) -> None:
    random = Random(seed)
    emulator.faults("latency=20ms~20ms,throttle=2%")
    terminal.jobs(JOBS)
    kills = 0
    for _ in range(5):
        process = terminal.start(*RUN, "--endpoint-url", emulator.url)
        try:
            process.communicate(timeout=random.uniform(0.2, 0.8))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate(timeout=10)
            kills += 1
    assert kills >= 2
    finish(terminal, emulator)
    assert_each_row_has_one_session(terminal, emulator, JOBS)


def test_stopped_and_continued_a_run_catches_nothing_up(
    terminal: Terminal, emulator: Emulator
) -> None:
    terminal.jobs(JOBS)
    with terminal.sending(*RUN[1:], "--endpoint-url", emulator.url) as process:
        process.send_signal(signal.SIGSTOP)
        stopped = len(sessions(emulator))
        # A second that is really over is what the limiter must not make up for.
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1.0)
        assert len(sessions(emulator)) <= stopped + 16
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert emulator.peak() <= RATE * 1.02 + 1
    assert_each_row_has_one_session(terminal, emulator, JOBS)


def test_stopped_for_longer_than_a_call_may_take_a_run_makes_nothing_twice(
    terminal: Terminal, emulator: Emulator
) -> None:
    emulator.faults("latency=100ms")
    terminal.jobs(JOBS)
    with terminal.sending(*RUN[1:], "--endpoint-url", emulator.url) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=2.5)
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=30)
    finish(terminal, emulator)
    assert_each_row_has_one_session(terminal, emulator, JOBS)


@cache
def strace() -> str:
    """Why kills cannot be injected; nothing when they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    probe = ["strace", "-f", "-e", "inject=fdatasync:signal=SIGKILL:when=1"]
    done = subprocess.run([*probe, "true"], capture_output=True, text=True, check=False)
    return f"strace may not trace: {done.stderr.strip()}" if done.returncode else ""


@pytest.mark.parametrize("when", [1, 2, 3, 5, 13])
def test_a_kill_at_a_write_to_disk_leaves_a_ledger_that_resumes(
    terminal: Terminal, emulator: Emulator, when: int
) -> None:
    if reason := strace():
        pytest.skip(reason)
    terminal.jobs(40)
    trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync"]
    inject = ["-e", f"inject=fdatasync:signal=SIGKILL:when={when}"]
    arguments = map(str, (*RUN, "--endpoint-url", emulator.url, "--rate", 100))
    killed = subprocess.run(
        [*trace, *inject, COMMAND, *arguments],
        cwd=terminal.folder,
        env=environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}
    finish(terminal, emulator)
    assert_each_row_has_one_session(terminal, emulator, 40)


def test_an_intent_is_on_the_disk_before_its_request_leaves_and_so_is_its_outcome(
    terminal: Terminal, emulator: Emulator
) -> None:
    """What outlives a loss of power; one call at a time tells whose write is whose."""
    if reason := strace():
        pytest.skip(reason)
    terminal.jobs(4)
    trace = ["strace", "-f", "-qq", "-o", "trace", "-e", "trace=fdatasync,write,sendto"]
    arguments = map(str, ("--endpoint-url", emulator.url, "--concurrency", 1, "--no-preflight"))
    subprocess.run(
        [*trace, COMMAND, *map(str, RUN), *arguments],
        cwd=terminal.folder,
        env=environment(),
        capture_output=True,
        timeout=60,
        check=True,
    )
    calls = re.findall("fdatasync|POST", (terminal.folder / "trace").read_text("utf-8"))
    assert calls.count("POST") == 4
    before, *after = "".join(each[0] for each in calls).split("P")
    assert before
    assert all(len(writes) >= 2 for writes in after)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Callable[[], Path]]:
    """Mounts a folder that nobody may write to, root included."""
    folder = tmp_path / "read-only"

    def mount() -> Path:
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("may not mount a file system")
        return folder

    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("may not mount a file system")
    yield mount
    subprocess.run(["umount", folder], capture_output=True, check=False)


@pytest.mark.parametrize("option", ["--ledger", "--out"])
def test_a_read_only_folder_is_refused_before_the_first_call(
    terminal: Terminal, emulator: Emulator, read_only: Callable[[], Path], option: str
) -> None:
    terminal.jobs(5)
    folder = read_only()
    where = folder / "ledger.db" if option == "--ledger" else folder / "out"
    done = terminal(*RUN, "--endpoint-url", emulator.url, option, where)
    assert done.returncode == 74, done.stderr
    assert re.search("read-only|not writable", done.stderr, re.IGNORECASE)
    assert sessions(emulator) == []


def test_an_operator_watches_a_run_and_changes_its_rate(
    terminal: Terminal, emulator: Emulator
) -> None:
    terminal.jobs(60)
    args = ("night.csv", "--endpoint-url", emulator.url, "--rate", 1, "--no-preflight")
    with terminal.sending(*args) as process:
        changed = terminal("rate", 1000)
        watched = terminal("status", "--watch", "--campaign", "night")
        said = process.communicate(timeout=30)[1]
    assert (changed.returncode, process.returncode) == (0, 0)
    assert "60/60  100%" in watched.stdout
    assert '"reason": "operator"' in said
