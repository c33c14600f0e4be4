"""Bad input and faults: the code, what is said, and that no call was made."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.e2e.conftest import CONNECTOR, Emulator, Terminal

HEADER = "participant_1,participant_2,voice_connector_id"
GOOD = f"+12065550100,+12065550101,{CONNECTOR}"


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def run(terminal: Terminal, emulator: Emulator) -> Callable[..., tuple[int, str]]:
    """Runs night.csv against the emulator; the exit code and what stderr says."""

    def run(*arguments: object) -> tuple[int, str]:
        done = terminal(
            "run", "night.csv", "--endpoint-url", emulator.url, "--rate", 500, *arguments
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr

    return run


def test_invalid_rows_are_all_told_and_nothing_is_sent(
    terminal: Terminal, emulator: Emulator, run: Callable[..., tuple[int, str]]
) -> None:
    terminal.write("night.csv", "\n".join([HEADER, GOOD, f"1.20656E+10,x,{CONNECTOR}", "+1,,"]))
    code, said = run()
    assert code == 65
    assert "night.csv:3: participant_1" in said
    assert "night.csv:4: participant_2" in said
    assert "2 rows are invalid" in said
    assert emulator.sessions() == []


def test_a_refused_file_leaves_no_campaign_behind(
    terminal: Terminal, run: Callable[..., tuple[int, str]]
) -> None:
    terminal.write("night.csv", f"{HEADER}\nx,y,z\n")
    assert run()[0] == 65
    terminal.write("night.csv", f"{HEADER}\n{GOOD}\n")
    assert run()[0] == 0


def test_a_missing_file(run: Callable[..., tuple[int, str]]) -> None:
    code, said = run()
    assert code == 66
    assert "night.csv" in said


def test_a_file_without_a_header(terminal: Terminal, run: Callable[..., tuple[int, str]]) -> None:
    terminal.write("night.csv", "")
    assert run()[0] == 65


def test_a_header_without_rows_is_an_empty_campaign(
    terminal: Terminal, run: Callable[..., tuple[int, str]]
) -> None:
    terminal.write("night.csv", HEADER + "\n")
    assert run()[0] == 0


def test_a_changed_file_is_refused_then_extended(
    terminal: Terminal, emulator: Emulator, run: Callable[..., tuple[int, str]]
) -> None:
    terminal.jobs(3)
    assert run()[0] == 0
    terminal.jobs(5)
    code, said = run()
    assert code == 65
    assert "2 rows are new, 0 gone, 3 the same" in said
    planned = terminal("plan", "night.csv")
    assert planned.returncode == 65
    assert "2 rows are new, 0 gone, 3 the same" in planned.stderr
    assert terminal("plan", "night.csv", "--extend").returncode == 0
    assert run("--extend")[0] == 0
    assert len(emulator.sessions()) == 5


def test_the_same_content_in_an_unfinished_campaign_is_refused(
    terminal: Terminal, run: Callable[..., tuple[int, str]]
) -> None:
    terminal.jobs(3)
    assert run("--limit", 1)[0] == 75
    code, said = run("--campaign", "other")
    assert code == 65
    assert "'night'" in said


def test_many_rows_need_a_yes_where_nobody_can_be_asked(
    terminal: Terminal, emulator: Emulator, run: Callable[..., tuple[int, str]]
) -> None:
    terminal.jobs(5)
    code, said = run("--max-rows", 4)
    assert code == 65
    assert "--yes" in said
    assert emulator.sessions() == []
    assert run("--max-rows", 4, "--yes")[0] == 0


def test_nothing_listening(terminal: Terminal) -> None:
    terminal.jobs(1)
    done = terminal("run", "night.csv", "--endpoint-url", f"http://127.0.0.1:{unused_port()}")
    assert done.returncode == 69
    assert "cannot be reached" in done.stderr
    assert "1 pending" in terminal("status").stdout


@pytest.mark.parametrize("connector", ["zzzzzz1ghij2klmno3pqr4"])
def test_a_missing_connector(
    terminal: Terminal, run: Callable[..., tuple[int, str]], connector: str
) -> None:
    terminal.write("night.csv", f"participant_1,participant_2\n{GOOD.rsplit(',', 1)[0]}\n")
    code, said = run("--voice-connector-id", connector)
    assert code == 69
    assert connector in said


def test_no_credentials(terminal: Terminal) -> None:
    terminal.jobs(1)
    done = terminal("run", "night.csv", "--region", "us-east-1")
    assert done.returncode == 77
    assert "credentials" in done.stderr
    assert "1 pending" in terminal("status").stdout


def test_no_region_is_a_configuration_error(terminal: Terminal) -> None:
    terminal.jobs(1)
    done = terminal(
        "run", "night.csv", AWS_ACCESS_KEY_ID="emulator", AWS_SECRET_ACCESS_KEY="emulator"
    )
    assert done.returncode == 78
    assert "--region" in done.stderr


@pytest.mark.parametrize("command", [("run", "night.csv"), ("reconcile", "night.csv", "--adopt")])
def test_a_settle_shorter_than_a_request_can_travel_is_refused(
    terminal: Terminal, command: tuple[str, ...]
) -> None:
    terminal.jobs(1)
    done = terminal(*command, "--region", "us-east-1", "--settle", "599s")
    assert done.returncode == 78
    assert "--settle 599s is too short" in done.stderr
    assert "give 10m or more" in done.stderr
    assert list(terminal.folder.glob("*.db")) == []


def test_a_settle_as_long_as_a_request_can_travel_is_taken(terminal: Terminal) -> None:
    terminal.jobs(1)
    done = terminal("run", "night.csv", "--region", "us-east-1", "--settle", "10m", "--rate", 5)
    assert "--settle" not in done.stderr
    assert done.returncode == 77


def test_plain_http_beyond_loopback_is_refused(terminal: Terminal) -> None:
    terminal.jobs(1)
    done = terminal("run", "night.csv", "--endpoint-url", "http://example.com")
    assert done.returncode == 78


def test_a_locked_ledger_names_its_holder(terminal: Terminal, emulator: Emulator) -> None:
    terminal.jobs(50)
    args = ("run", "night.csv", "--endpoint-url", emulator.url, "--rate", 10)
    with terminal.start(*args) as holder:
        assert holder.stderr is not None
        holder.stderr.readline()
        second = terminal(*args)
        holder.terminate()
        holder.communicate(timeout=20)
    assert second.returncode == 75
    assert f"process {holder.pid} " in second.stderr


@pytest.mark.parametrize(
    "arguments", [("--ledger", "no/such/folder/x.db"), ("--ledger", "."), ("--out", "night.csv")]
)
def test_what_cannot_be_written(
    terminal: Terminal,
    emulator: Emulator,
    run: Callable[..., tuple[int, str]],
    arguments: tuple[str, str],
) -> None:
    terminal.jobs(1)
    assert run(*arguments)[0] == 74
    assert emulator.sessions() == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", "--no-such-option"),
        ("run", "night.csv", "--rate", "fast"),
        ("run", "night.csv", "--rate", "nan"),
        ("plan", "night.csv", "--rate", "nan"),
        ("run", "failed.csv", "--emulate", "--out", "."),
        ("run", "night.csv", "--halt", "failed=lots"),
        ("run", "night.csv", "--timeout", "soon"),
        ("run", "night.csv", "--timeout", "0s"),
        ("run", "night.csv", "--campaign", "a/b", "--emulate"),
        ("run", "night.csv", "--emulate", "--endpoint-url", "http://127.0.0.1:1"),
        ("run", "night.csv", "--faults", "throttle=1%"),
        ("nonsense",),
        ("completion", "tcsh"),
    ],
)
def test_wrong_usage(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    terminal.jobs(1)
    done = terminal(*arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rate = 5\nrates = 6\n", "'rate'"),
        ("rate = \n", "TOML"),
        ("rate = [1]\n", "rate"),
        ("rate = true\n", "rate"),
        ("rate = nan\n", "rate"),
        ("[region]\nname = 'x'\n", "region"),
        ("ledger = true\n", "ledger"),
        ("limit = 1.5\n", "limit"),
        ("expiry_minutes = 60.7\n", "expiry_minutes"),
        ("quiet = 2\n", "quiet"),
        ("timeout = 30\n", "timeout"),
    ],
)
def test_a_configuration_that_cannot_be_used(terminal: Terminal, text: str, said: str) -> None:
    terminal.write("provisioner.toml", text)
    terminal.jobs(1)
    done = terminal("run", "night.csv", "--emulate")
    assert done.returncode == 78
    assert "provisioner.toml" in done.stderr
    assert said in done.stderr


def test_a_variable_that_cannot_be_used_is_named(terminal: Terminal) -> None:
    terminal.jobs(1)
    done = terminal("run", "night.csv", "--emulate", PROVISIONER_RATE="fast")
    assert done.returncode == 2
    assert "'fast' is not a valid number" in done.stderr
    assert "PROVISIONER_RATE" in done.stderr


def test_a_ledger_of_another_program(terminal: Terminal) -> None:
    terminal.write("provisioner.db", "not a ledger, but long enough to look at" * 20)
    terminal.jobs(1)
    assert terminal("run", "night.csv", "--emulate").returncode == 74
    assert terminal("status").returncode == 78


def test_rows_set_back_by_hand_are_not_sent_again(
    terminal: Terminal, emulator: Emulator, run: Callable[..., tuple[int, str]]
) -> None:
    terminal.jobs(5)
    assert run()[0] == 0
    with closing(sqlite3.connect(terminal.folder / "provisioner.db")) as ledger, ledger:
        ledger.execute("UPDATE jobs SET state = 'pending'")
    code, said = run()
    assert code == 74
    assert "edited by hand" in said
    assert len(emulator.sessions()) == 5


def test_a_ledger_in_a_database_server_is_not_supported_yet(terminal: Terminal) -> None:
    terminal.jobs(1)
    done = terminal("run", "night.csv", "--emulate", "--ledger", "postgresql://host/db")
    assert done.returncode == 78
