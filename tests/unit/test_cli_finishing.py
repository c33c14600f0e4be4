from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from provisioner.cli import finishing
from provisioner.errors import InputRefusedError, UsageError

DUMP = """
import json, os, sys
told = {k: v for k, v in os.environ.items() if k.startswith("PROVISIONER_")}
json.dump({"told": told, "data": json.load(sys.stdin)}, open("heard.json", "w"))
"""


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_command_is_split_as_a_shell_would_and_never_run_by_one() -> None:
    assert finishing.words("notify --to 'night team' ; rm -rf x") == (
        ["notify", "--to", "night team", ";", "rm", "-rf", "x"]
    )
    assert finishing.words(None) == []


@pytest.mark.parametrize("command", ["'open", "", "   "])
def test_what_is_no_command_is_refused(command: str) -> None:
    with pytest.raises(UsageError):
        finishing.words(command)


def test_an_error_is_told_with_its_exit_code_and_numbers_masked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVISIONER_ON_FINISH", "again")
    finishing.tell_error(python(DUMP), InputRefusedError("bad +14155550100"), "night")
    heard = json.loads((folder / "heard.json").read_text())
    assert heard["told"] == {
        "PROVISIONER_CAMPAIGN": "night",
        "PROVISIONER_EXIT_CODE": "65",
        "PROVISIONER_STOPPED": "bad +1415***0100",
    }
    assert heard["data"] == {
        "schema": 1,
        "campaign": "night",
        "exit_code": 65,
        "stopped": "bad +1415***0100",
    }


def test_what_a_command_reads_is_a_line(folder: Path) -> None:
    finishing.tell_error(["tee", "heard.json"], InputRefusedError("bad"), "night")
    assert (folder / "heard.json").read_text().endswith("}\n")


def test_an_unexpected_error_is_told_as_one(folder: Path) -> None:
    finishing.tell_error(python(DUMP), RuntimeError("odd"), None)
    assert json.loads((folder / "heard.json").read_text())["data"]["exit_code"] == 1


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (python("raise SystemExit(3)"), "ended with 3"),
        (["no-such-command-anywhere"], "No such file"),
    ],
)
def test_a_command_that_fails_is_told_and_changes_nothing(
    command: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    finishing.tell_error(command, RuntimeError("odd"), None)
    assert said in capsys.readouterr().err


def test_a_command_that_does_not_end_is_told_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(finishing, "LONGEST", 0.5)
    finishing.tell_error(["sleep", "60"], RuntimeError("odd"), None)
    assert "longer than 0.5 s" in capsys.readouterr().err


def test_what_the_command_started_dies_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finishing, "LONGEST", 0.5)
    reading, writing = os.pipe()
    with os.fdopen(reading) as pipe:
        os.set_inheritable(writing, True)
        finishing.tell_error(["sh", "-c", f"sleep 60 >&{writing} & wait"], RuntimeError("x"), None)
        os.close(writing)
        # Ends when the last process that inherited the other end has died.
        assert pipe.read() == ""


def test_a_command_that_reads_nothing_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    finishing.tell_error(["true"], RuntimeError("odd " * 25_000), None)
    assert capsys.readouterr().err == ""
