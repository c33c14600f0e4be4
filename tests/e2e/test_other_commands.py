from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provisioner.cli import ordering
from provisioner.cli.commands import COMMANDS
from provisioner.cli.configuration import read_config
from provisioner.cli.options import option_names
from tests.e2e.conftest import CONNECTOR, Emulator, Terminal

SAMPLES = Path(__file__).parents[2] / "jobs"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_examples(terminal: Terminal, command: str) -> None:
    done = terminal(command, "--help")
    assert done.returncode == 0
    assert "Examples:\n" in done.stdout
    assert done.stdout.rstrip().splitlines()[-1].startswith("    ")


def test_version(terminal: Terminal) -> None:
    assert terminal("--version").stdout.startswith("provisioner 0.")


def test_the_module_is_the_command(terminal: Terminal) -> None:
    assert terminal("-h").stdout.startswith("Usage: provisioner")


def test_validate_tells_every_problem(terminal: Terminal) -> None:
    done = terminal("validate", SAMPLES / "broken.csv", "--json")
    assert done.returncode == 65
    found = json.loads(done.stdout)
    assert found["rejected"] > 0
    assert len({problem["line"] for problem in found["problems"]}) == found["rejected"]


def test_validate_is_content_with_the_samples(terminal: Terminal) -> None:
    for name in ("campaign.csv", "campaign.jsonl"):
        assert terminal("validate", SAMPLES / name).returncode == 0


def test_validate_needs_no_name_for_a_campaign(terminal: Terminal) -> None:
    terminal.jobs(1, "a\nb.csv")
    assert terminal("validate", "a\nb.csv").returncode == 0


def test_validate_finds_a_reused_job_id(terminal: Terminal) -> None:
    rows = [
        "job_id,participant_1,participant_2",
        "a,+12065550100,+12065550101",
        "a,+12065550100,+12065550102",
    ]
    terminal.write("night.csv", "\n".join(rows))
    done = terminal("validate", "night.csv", "--voice-connector-id", CONNECTOR)
    assert done.returncode == 65
    assert "night.csv:3: job_id" in done.stdout


def test_plan_tells_what_is_left_and_how_long_it_takes(
    terminal: Terminal, emulator: Emulator
) -> None:
    terminal.jobs(50)
    terminal("run", "night.csv", "--endpoint-url", emulator.url, "--rate", 500, "--limit", 20)
    found = json.loads(terminal("plan", "night.csv", "--rate", 10, "--json").stdout)
    assert found["recorded"] == {"created": 20, "pending": 30}
    assert (found["to_send"], found["seconds"]) == (30, 3.0)
    assert "3s at 10/s" in terminal("plan", "night.csv", "--rate", 10).stdout


def test_plan_tells_when_sessions_close(terminal: Terminal) -> None:
    terminal.jobs(10)
    done = terminal("plan", "night.csv", "--expiry-minutes", 60)
    assert "Sessions close from" in done.stdout


def test_plan_says_how_to_reckon_with_a_default_that_it_does_not_know(terminal: Terminal) -> None:
    terminal.jobs(10)
    done = terminal("plan", "night.csv")
    assert "10 rows have no expiry_minutes" in done.stdout
    assert "plan --expiry-minutes" in done.stdout


def test_plan_tells_the_rows_that_miss_the_deadline(terminal: Terminal) -> None:
    terminal.jobs(50)
    args = ("plan", "night.csv", "--rate", 10, "--max-duration", "3s")
    found = json.loads(terminal(*args, "--json").stdout)
    assert found["late"] == 20
    assert found["deadline"] == pytest.approx(found["start"] + 3)
    assert "20  of them miss the deadline" in terminal(*args).stdout
    assert "miss" not in terminal("plan", "night.csv", "--rate", 10).stdout


def test_plan_warns_of_sessions_that_close_too_early(terminal: Terminal) -> None:
    terminal.jobs(10)
    args = ("plan", "night.csv", "--expiry-minutes", 60, "--rate", 1, "--needed-until")
    moment = datetime.now(UTC) + timedelta(minutes=60, seconds=5)
    found = json.loads(terminal(*args, moment.isoformat(), "--json").stdout)
    assert 2 <= found["closings"]["early"] <= 6
    assert "Warning: 10 sessions will" in terminal(*args, "2130-01-01 06:00").stdout
    assert "Warning" not in terminal(*args, "2020-01-01").stdout
    assert terminal(*args, "tomorrow").returncode == 2


def test_plan_knows_a_connectors_default_from_the_sessions_it_gave(
    terminal: Terminal, emulator: Emulator
) -> None:
    terminal.jobs(1, "before.csv")
    assert "live as long as their connector" in terminal("plan", "before.csv", "--rate", 1).stdout
    terminal("run", "before.csv", "--endpoint-url", emulator.url, "--rate", 500)
    terminal.jobs(10)
    found = json.loads(terminal("plan", "night.csv", "--rate", 1, "--json").stdout)
    closings = found["closings"]
    assert closings["unknown"] == 0
    assert closings["first"] == pytest.approx(found["start"] + 3600)
    assert closings["last"] == pytest.approx(found["start"] + 3600 + 9)


def test_plan_refuses_invalid_rows_as_a_run_would(terminal: Terminal) -> None:
    terminal.write("night.csv", "participant_1,participant_2\nx,y\n")
    assert terminal("plan", "night.csv").returncode == 65
    assert terminal("plan", "night.csv", "--skip-invalid").returncode == 0


def test_status_shows_campaigns(terminal: Terminal, emulator: Emulator) -> None:
    terminal.jobs(2)
    terminal("run", "night.csv", "--endpoint-url", emulator.url, "--rate", 500)
    assert "night: 2 rows of night.csv" in terminal("status").stdout
    found = json.loads(terminal("status", "--campaign", "night", "--json").stdout)
    assert found["campaigns"][0]["counts"]["created"] == 2
    assert terminal("status", "--campaign", "other").returncode == 78


def test_status_without_a_ledger_says_so(terminal: Terminal) -> None:
    done = terminal("status")
    assert done.returncode == 78
    assert "no ledger" in done.stderr


def test_results_without_a_choice_asks_for_one(terminal: Terminal, emulator: Emulator) -> None:
    for name in ("a.csv", "b.csv"):
        terminal.jobs(1 if name == "a.csv" else 2, name)
        terminal("run", name, "--endpoint-url", emulator.url, "--rate", 500)
    done = terminal("results")
    assert done.returncode == 2
    assert "a, b" in done.stderr
    assert terminal("results", "--campaign", "b", "--json").returncode == 0


def test_a_configured_template_names_no_campaign_without_a_job_file(
    terminal: Terminal, emulator: Emulator
) -> None:
    terminal.jobs(1)
    terminal.write(
        "provisioner.toml", f'campaign = "{{stem}}-x"\nendpoint_url = "{emulator.url}"\n'
    )
    assert terminal("run", "night.csv").returncode == 0
    assert "night-x: 1 rows" in terminal("status").stdout
    for command in ("results", "reconcile"):
        assert terminal(command).returncode == 0
    assert terminal("status", "--campaign", "{stem}-x").returncode == 78


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_PROFILE": "bogus"},
        {"AWS_ACCESS_KEY_ID": "half"},
        {"AWS_CONFIG_FILE": "broken.ini"},
        {"AWS_RETRY_MODE": "bogus", "ALL_PROXY": "http://127.0.0.1:1"},
    ],
)
def test_an_emulated_run_needs_no_account(terminal: Terminal, variables: dict[str, str]) -> None:
    terminal.jobs(1)
    terminal.write("broken.ini", "[profile\nno ini")
    done = terminal("run", "night.csv", "--emulate", **variables)
    assert done.returncode == 0, done.stderr


def test_doctor_checks_the_connector(terminal: Terminal, emulator: Emulator) -> None:
    args = ("doctor", "--endpoint-url", emulator.url, "--voice-connector-id")
    assert terminal(*args, CONNECTOR).returncode == 0
    assert terminal(*args, "zzzzzz1ghij2klmno3pqr4").returncode == 69


def test_doctor_misses_credentials(terminal: Terminal) -> None:
    done = terminal("doctor", "--region", "us-east-1", "--json")
    assert done.returncode == 77
    checks = json.loads(done.stdout)["checks"]
    assert [check["exit_code"] for check in checks if check["what"] == "service"] == [77]


def test_doctor_looks_at_the_ledger(terminal: Terminal, emulator: Emulator) -> None:
    args = ("doctor", "--endpoint-url", emulator.url)
    assert "will be created" in terminal(*args).stdout
    terminal.write("provisioner.db", "x" * 9000)
    assert terminal(*args).returncode == 78
    assert terminal(*args, "--ledger", "no/folder/x.db").returncode == 74


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_command(terminal: Terminal, shell: str) -> None:
    assert "_PROVISIONER_COMPLETE" in terminal("completion", shell).stdout


def test_a_flag_beats_the_environment_beats_the_file(terminal: Terminal) -> None:
    terminal.jobs(3)
    terminal.write("provisioner.toml", "rate = 1\n")

    def seconds(*arguments: object, **variables: str) -> float:
        done = terminal("plan", "night.csv", "--json", *arguments, **variables)
        return float(json.loads(done.stdout)["rate"])

    assert seconds() == 1
    assert seconds(PROVISIONER_RATE="2") == 2
    assert seconds("--rate", 3, PROVISIONER_RATE="2") == 3
    terminal.write("other.toml", "rate = 4\n")
    assert seconds("--config", "other.toml") == 4


def test_the_sample_configuration_is_valid() -> None:
    text = (SAMPLES / "provisioner.toml").read_text("utf-8")
    assert set(tomllib.loads(text)) == set(
        read_config(SAMPLES / "provisioner.toml", option_names())
    )


def test_status_watches_until_nothing_is_left_to_do(terminal: Terminal, emulator: Emulator) -> None:
    terminal.jobs(2)
    terminal("run", "night.csv", "--endpoint-url", emulator.url, "--rate", 500)
    assert "night  2/2  100%" in terminal("status", "--watch").stdout
    done = terminal("status", "--watch", "--json", "--campaign", "night")
    assert json.loads(done.stdout)["campaigns"][0]["counts"] == {"created": 2}


def test_a_rate_that_no_run_takes_is_told(
    terminal: Terminal, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordering, "PATIENCE", 0.1)
    terminal.jobs(1)
    assert terminal("rate", 5).returncode == 78
    terminal("run", "night.csv", "--endpoint-url", emulator.url, "--rate", 500)
    done = terminal("rate", 5)
    assert (done.returncode, "no run on" in done.stderr) == (78, True)
    assert not (terminal.folder / "provisioner.db.rate").exists()
    assert terminal("rate", 0.001).returncode == 2
