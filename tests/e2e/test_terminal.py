"""What a person sees: a terminal of 80 columns, a reader that leaves, a module run as such."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

from provisioner.errors import ExitCode
from tests.e2e.conftest import COMMAND, Emulator, Terminal, environment

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def shown(
    terminal: Terminal, *arguments: object, typed: str = "", **variables: str
) -> tuple[int, str]:
    """The exit code and everything a terminal of 80 columns got, escape sequences included."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with subprocess.Popen(
        [COMMAND, *map(str, arguments)],
        cwd=terminal.folder,
        env=environment() | {"TERM": "xterm-256color"} | variables,
        stdin=follower,
        stdout=follower,
        stderr=follower,
    ) as process:
        os.close(follower)
        os.write(leader, typed.encode())
        text = b""
        try:
            while chunk := os.read(leader, 4096):
                text += chunk
        except OSError:  # Linux says EIO when the last process has closed its side.
            pass
        os.close(leader)
    return process.returncode, text.decode()


def in_bash(terminal: Terminal, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command],
        cwd=terminal.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_terminal_shows_progress_in_one_line(terminal: Terminal, emulator: Emulator) -> None:
    terminal.jobs(100)
    code, text = shown(terminal, "run", "night.csv", "--endpoint-url", emulator.url, "--rate", 100)
    assert code == 0
    lines = [line for line in ESCAPES.sub("\n", text).splitlines() if "ETA" in line]
    assert len(lines) > 3
    assert all(len(line) <= 80 for line in lines)
    assert re.search(r"\d+/100 .*/s .*throttled .*in flight .*ETA", lines[-1])
    assert "all 100 rows created" in text


@pytest.mark.parametrize(
    ("answer", "code", "sessions"), [("y\n", 0, 5), ("n\n", 65, 0), ("\n", 65, 0), ("\x04", 130, 0)]
)
def test_a_terminal_is_asked_before_many_rows_are_sent(
    terminal: Terminal, emulator: Emulator, answer: str, code: int, sessions: int
) -> None:
    terminal.jobs(5)
    args = ("run", "night.csv", "--endpoint-url", emulator.url, "--max-rows", 4)
    ended, text = shown(terminal, *args, typed=answer)
    assert ended == code
    assert "5 rows would be sent" in text
    assert len(emulator.sessions()) == sessions


def test_a_terminal_without_colours_gets_none(terminal: Terminal, emulator: Emulator) -> None:
    terminal.jobs(3)
    args = ("run", "night.csv", "--endpoint-url", emulator.url, "--log-level", "debug")
    assert "\x1b[3" not in shown(terminal, *args, NO_COLOR="1")[1]


def test_a_dumb_terminal_gets_log_lines(terminal: Terminal, emulator: Emulator) -> None:
    terminal.jobs(3)
    code, text = shown(
        terminal, "run", "night.csv", "--endpoint-url", emulator.url, TERM="dumb", NO_COLOR="1"
    )
    assert code == 0
    assert "ETA" not in text


def test_quiet_says_the_summary_only(terminal: Terminal, emulator: Emulator) -> None:
    terminal.jobs(3)
    args = ("run", "night.csv", "--endpoint-url", emulator.url, "--quiet")
    assert terminal(*args).stderr == ""
    assert "ETA" not in shown(terminal, *args)[1]


def test_a_reader_that_leaves_is_no_error(terminal: Terminal) -> None:
    rows = "\n".join(["participant_1,participant_2", *["x,y"] * 3000])
    terminal.write("night.csv", rows)
    done = in_bash(terminal, f"{COMMAND} validate night.csv | head -n 1; exit ${{PIPESTATUS[0]}}")
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    assert done.returncode == ExitCode.INPUT_REFUSED


@pytest.mark.parametrize(
    "streams", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", "| true"]
)
def test_a_run_is_complete_whatever_its_streams_are(
    terminal: Terminal, emulator: Emulator, streams: str
) -> None:
    terminal.jobs(3)
    command = f"{COMMAND} run night.csv --endpoint-url {emulator.url} --rate 500 {streams}"
    done = in_bash(terminal, f"{command}; exit ${{PIPESTATUS[0]}}")
    assert done.returncode == ExitCode.OK, done.stderr
    assert "Exception ignored" not in done.stderr
    assert len(emulator.sessions()) == 3


@pytest.mark.parametrize("streams", ["2>/dev/full", "2>&-", "2> >(true)"])
def test_problems_nobody_can_read_end_as_those_that_are_read(
    terminal: Terminal, streams: str
) -> None:
    terminal.write("night.csv", "\n".join(["participant_1,participant_2", *["x,y"] * 3000]))
    done = in_bash(terminal, f"{COMMAND} run night.csv --emulate {streams}")
    assert done.returncode == ExitCode.INPUT_REFUSED


@pytest.mark.parametrize("command", ["--help", "--version", "run --help", "completion bash"])
def test_help_into_a_reader_that_has_left_is_no_error(terminal: Terminal, command: str) -> None:
    done = in_bash(terminal, f"{COMMAND} {command} | true; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) == (ExitCode.OK, "")


def test_what_the_encoding_lacks_is_escaped(terminal: Terminal, emulator: Emulator) -> None:
    terminal.jobs(1)
    args = ("run", "night.csv", "--endpoint-url", emulator.url, "--campaign", "日本")
    done = terminal.process(*args, PYTHONIOENCODING="latin-1")
    assert done.returncode == ExitCode.OK
    assert r"\u65e5\u672c" in done.stdout


def test_the_module_can_be_run(terminal: Terminal) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "provisioner", "--version"],
        cwd=terminal.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == ExitCode.OK
    assert done.stdout.startswith("provisioner ")


def test_a_broken_installation_is_told_without_a_traceback(terminal: Terminal) -> None:
    (terminal.folder / "uvloop.py").write_text("raise RuntimeError('call +14155550100')\n")
    terminal.jobs(1)
    args = ("run", "night.csv", "--region", "us-east-1")
    done = terminal.process(*args, PYTHONPATH=str(terminal.folder))
    assert done.returncode == 1
    assert "unexpected RuntimeError: call +1415***0100" in done.stderr
    assert "Traceback" not in done.stderr
    told = terminal.process(*args, PYTHONPATH=str(terminal.folder), PROVISIONER_TRACEBACK="1")
    assert "Traceback" in told.stderr
