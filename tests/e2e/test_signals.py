from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from tests.e2e.conftest import Emulator, Terminal, environment


def started(terminal: Terminal, emulator: Emulator, *arguments: object) -> subprocess.Popen[str]:
    """A run of 400 jobs that has begun to send."""
    terminal.jobs(400)
    return terminal.sending("night.csv", "--endpoint-url", emulator.url, "--rate", 100, *arguments)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_drains_and_the_run_resumes(
    terminal: Terminal, emulator: Emulator, number: signal.Signals
) -> None:
    with started(terminal, emulator, "--json") as process:
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 75, stderr
    counts = json.loads(stdout)["counts"]
    assert counts["created"] == len(emulator.sessions())
    assert counts["created"] + counts["pending"] == 400
    again = terminal("run", "night.csv", "--endpoint-url", emulator.url, "--rate", 2000)
    assert again.returncode == 0
    assert len(emulator.sessions()) == 400


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_the_second_signal_stops_at_once(
    terminal: Terminal, emulator: Emulator, number: signal.Signals, code: int
) -> None:
    emulator.faults("latency=20s")
    terminal.jobs(10)
    args = ("run", "night.csv", "--endpoint-url", emulator.url, "--rate", 100, "--no-preflight")
    with terminal.start(*args) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(number)
        while "stopping" not in process.stderr.readline():
            pass
        process.send_signal(number)
        process.communicate(timeout=10)
    assert process.returncode == code


def test_a_signal_drains_when_nobody_reads_stderr_any_more(
    terminal: Terminal, emulator: Emulator
) -> None:
    with started(terminal, emulator) as process:
        assert process.stderr is not None
        process.stderr.close()
        process.terminate()
        process.wait(timeout=30)
    assert process.returncode == 75


def test_the_first_process_of_a_container_ends_by_sigterm_too(
    terminal: Terminal, emulator: Emulator
) -> None:
    terminal.jobs(2)
    terminal("run", "night.csv", "--endpoint-url", emulator.url, "--limit", 1)
    typed = "import os; os.getpid = lambda: 1; from provisioner.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", typed, "status", "--watch"],
        cwd=terminal.folder,
        env=environment(),
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        process.wait(timeout=10)
    assert process.returncode == 143


def test_a_hangup_under_nohup_is_ignored(terminal: Terminal, emulator: Emulator) -> None:
    usual = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = started(terminal, emulator)
    finally:
        signal.signal(signal.SIGHUP, usual)
    with process:
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_after_kill_minus_nine_no_session_is_lost_or_made_twice(
    terminal: Terminal, emulator: Emulator
) -> None:
    with started(terminal, emulator, "--json") as process:
        process.kill()
        process.communicate(timeout=10)
    args = ("run", "night.csv", "--endpoint-url", emulator.url, "--rate", 2000)
    again = terminal(*args, "--settle", "1500ms", "--json")
    assert json.loads(again.stdout)["counts"]["created"] == 400
    assert len({session["Name"] for session in emulator.sessions()}) == 400
    assert len(emulator.sessions()) == 400


def test_the_emulator_of_a_killed_run_ends_with_it(terminal: Terminal) -> None:
    terminal.jobs(400)
    with terminal.start("run", "night.csv", "--emulate", "--rate", 50) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.kill()
        # Their end of the pipe closes when the last process that inherited it has ended.
        process.communicate(timeout=20)
    assert process.returncode == -signal.SIGKILL
