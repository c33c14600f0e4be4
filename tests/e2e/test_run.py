from __future__ import annotations

import csv
import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import CONNECTOR, Emulator, Terminal

FILES = ("created", "failed", "rejected", "duplicates", "needs_review", "pending")


def rows_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def summary_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text("utf-8"))
    return found


@pytest.fixture(params=["lean", "stock"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the SDK by the lean call, and by its own."""
    monkeypatch.setenv("PROVISIONER_SDK_PATH", request.param)


@pytest.mark.usefixtures("_both_ways")
def test_a_campaign_is_provisioned_and_its_results_are_written(
    terminal: Terminal, emulator: Emulator
) -> None:
    terminal.jobs(25)
    done = terminal("run", "night.csv", "--endpoint-url", emulator.url, "--rate", 500)
    assert done.returncode == 0, done.stderr
    created = rows_of(terminal.folder / "out/night", "created")
    sessions = {each["ProxySessionId"]: each for each in emulator.sessions()}
    assert len(created) == len(sessions) == 25
    for row in created:
        session = sessions[row["_proxy_session_id"]]
        proxies = {p["PhoneNumber"]: p["ProxyPhoneNumber"] for p in session["Participants"]}
        assert row["_proxy_phone_number_1"] == proxies[row["participant_1"]]
        assert row["_proxy_phone_number_2"] == proxies[row["participant_2"]]
        assert row["_name"] == session["Name"]


def test_running_again_resumes_and_sends_nothing_twice(
    terminal: Terminal, emulator: Emulator
) -> None:
    terminal.jobs(10)
    first = terminal(
        "run", "night.csv", "--endpoint-url", emulator.url, "--rate", 500, "--limit", 4
    )
    assert first.returncode == 75
    assert len(emulator.sessions()) == 4
    for _ in range(2):
        again = terminal("run", "night.csv", "--endpoint-url", emulator.url, "--rate", 500)
        assert again.returncode == 0
        assert len(emulator.sessions()) == 10


def test_a_run_that_a_limit_ended_says_so(terminal: Terminal, emulator: Emulator) -> None:
    terminal.jobs(3)
    done = terminal("run", "night.csv", "--endpoint-url", emulator.url, "--limit", 2)
    assert "Stopped: --limit 2 was reached." in done.stdout


def test_a_recorded_campaign_resumes_without_its_file(
    terminal: Terminal, emulator: Emulator
) -> None:
    path = terminal.jobs(6)
    terminal("run", path, "--endpoint-url", emulator.url, "--rate", 500, "--limit", 2)
    path.unlink()
    done = terminal("run", "--campaign", "night", "--endpoint-url", emulator.url, "--rate", 500)
    assert done.returncode == 0, done.stderr
    assert len(emulator.sessions()) == 6


@pytest.mark.usefixtures("_both_ways")
def test_throttles_and_transient_faults_are_retried(terminal: Terminal, emulator: Emulator) -> None:
    emulator.faults("throttle=10%,unavailable=10%")
    terminal.jobs(100)
    done = terminal("run", "night.csv", "--endpoint-url", emulator.url, "--rate", 500, "--json")
    assert done.returncode == 0, done.stderr
    calls = json.loads(done.stdout)["calls"]
    assert calls["retried"] > 0
    assert calls["attempts"] == 100 + calls["retried"]
    assert len(emulator.sessions()) == 100


def test_an_unsettled_call_needs_review_and_is_never_repeated(
    terminal: Terminal, emulator: Emulator
) -> None:
    emulator.faults("failure_after=20%,lost=20%")
    terminal.jobs(50)
    url = emulator.url
    args = ("run", "night.csv", "--endpoint-url", url, "--rate", 500, "--no-reconcile")
    first, again = terminal(*args), terminal(*args)
    assert (first.returncode, again.returncode) == (5, 5)
    review = rows_of(terminal.folder / "out/night", "needs_review")
    created = rows_of(terminal.folder / "out/night", "created")
    assert len(review) > 0
    assert len(created) + len(review) == len(emulator.sessions()) == 50


@pytest.mark.usefixtures("_both_ways")
def test_ambiguous_calls_are_settled_before_the_run_ends(
    terminal: Terminal, emulator: Emulator
) -> None:
    emulator.faults("failure_after=10%,failure_before=10%,lost=10%,reset=10%")
    terminal.jobs(50)
    url = emulator.url
    args = ("run", "night.csv", "--endpoint-url", url, "--rate", 500, "--settle", "1500ms")
    done = terminal(*args, "--json")
    assert done.returncode == 0, done.stderr
    calls = json.loads(done.stdout)["calls"]
    created = rows_of(terminal.folder / "out/night", "created")
    sessions = emulator.sessions()
    assert {each["_proxy_session_id"] for each in created} == {
        each["ProxySessionId"] for each in sessions
    }
    assert len(sessions) == 50
    assert 0 < calls["adopted"] < calls["ambiguous"]


def test_every_row_is_in_exactly_one_file_and_counts_sum_up(
    terminal: Terminal, emulator: Emulator
) -> None:
    emulator.faults("failure_before=20%")
    good = [f"+12065550100,+1312{n:07},{CONNECTOR}" for n in range(20)]
    rows = ["participant_1,participant_2,voice_connector_id", *good, good[0], "x,y,z"]
    terminal.write("night.csv", "\n".join(rows))
    args = ("run", "night.csv", "--endpoint-url", emulator.url, "--rate", 500, "--skip-invalid")
    assert terminal(*args, "--no-reconcile").returncode == 5
    out = terminal.folder / "out/night"
    numbers = [row["_row"] for name in FILES for row in rows_of(out, name)]
    assert sorted(map(int, numbers)) == list(range(1, 23))
    counts = summary_of(out)["counts"]
    assert counts == {name: len(rows_of(out, name)) for name in FILES}


@pytest.mark.usefixtures("_both_ways")
def test_a_refused_job_fails_alone(terminal: Terminal, emulator: Emulator) -> None:
    rows = [
        "participant_1,participant_2,voice_connector_id,geo_match_level,geo_match_country,geo_match_area_code",
        f"+12065550100,+12065550101,{CONNECTOR},Country,DE,030",
        f"+12065550100,+12065550102,{CONNECTOR},,,",
    ]
    terminal.write("night.csv", "\n".join(rows))
    done = terminal("run", "night.csv", "--endpoint-url", emulator.url, "--rate", 500)
    assert done.returncode in (0, 3)
    assert sum(summary_of(terminal.folder / "out/night")["counts"].values()) == 2


def test_jsonl_rows_shaped_like_the_api_come_back_as_jsonl(
    terminal: Terminal, emulator: Emulator
) -> None:
    row = {
        "VoiceConnectorId": CONNECTOR,
        "ParticipantPhoneNumbers": ["+12065550100", "+12065550101"],
        "Capabilities": ["SMS"],
        "customer": {"tier": 1},
    }
    terminal.write("night.jsonl", json.dumps(row))
    done = terminal("run", "night.jsonl", "--endpoint-url", emulator.url)
    assert done.returncode == 0, done.stderr
    written = (terminal.folder / "out/night/created.jsonl").read_text("utf-8")
    result = json.loads(written)
    assert {name: result[name] for name in row} == row
    assert emulator.sessions()[0]["Capabilities"] == ["SMS"]


def test_standard_input_is_a_job_file(terminal: Terminal, emulator: Emulator) -> None:
    text = "participant_1,participant_2\n+12065550100,+12065550101\n"
    done = terminal.process(
        "run", "-", "--voice-connector-id", CONNECTOR, "--endpoint-url", emulator.url, text=text
    )
    assert done.returncode == 0, done.stderr
    assert len(rows_of(terminal.folder / "out/stdin", "created")) == 1


def test_a_result_file_is_a_job_file(terminal: Terminal, emulator: Emulator) -> None:
    terminal.jobs(3)
    terminal("run", "night.csv", "--endpoint-url", emulator.url, "--rate", 500)
    done = terminal("run", "out/night/created.csv", "--endpoint-url", emulator.url, "--rate", 500)
    assert done.returncode == 0, done.stderr
    assert len(emulator.sessions()) == 6


def test_failed_rows_are_sent_again_when_asked(terminal: Terminal, emulator: Emulator) -> None:
    emulator.faults("unavailable=100%")
    terminal.jobs(3)
    args = ("run", "night.csv", "--endpoint-url", emulator.url, "--rate", 500)
    assert terminal(*args, "--max-attempts", 1).returncode == 3
    emulator.faults("")
    assert terminal(*args).returncode == 3
    assert terminal("run", "--retry-failed", *args[1:]).returncode == 0


def test_a_code_that_no_row_failed_with_is_told_with_those_that_rows_did_fail_with(
    terminal: Terminal, emulator: Emulator
) -> None:
    emulator.faults("unavailable=100%")
    terminal.jobs(3)
    args = ("run", "night.csv", "--endpoint-url", emulator.url, "--rate", 500)
    terminal(*args, "--max-attempts", 1)
    done = terminal(*args, "--retry-failed=ServiceUnavailable", "--quiet")
    assert done.returncode == 3
    (line,) = map(json.loads, done.stderr.splitlines())
    assert line["event"] == "no failed row is sent again"
    assert line["failed"] == "3 x ServiceUnavailableException"


def test_a_retry_of_every_night_is_no_warning_once_nothing_has_failed(
    terminal: Terminal, emulator: Emulator
) -> None:
    terminal.jobs(1)
    args = ("run", "night.csv", "--endpoint-url", emulator.url, "--quiet")
    done = terminal(*args, "--retry-failed=ServiceUnavailableException")
    assert (done.returncode, done.stderr) == (0, "")


def test_files_are_private(terminal: Terminal, emulator: Emulator) -> None:
    terminal.jobs(1)
    terminal("run", "night.csv", "--endpoint-url", emulator.url)
    for path in [terminal.folder / "provisioner.db", *(terminal.folder / "out/night").iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_no_phone_number_reaches_the_log(terminal: Terminal, emulator: Emulator) -> None:
    emulator.faults("failure_after=30%,throttle=30%")
    terminal.jobs(20)
    args = ("run", "night.csv", "--endpoint-url", emulator.url, "--rate", 500, "--log-level")
    done = terminal(*args, "debug", "--settle", "1500ms")
    assert '"event"' in done.stderr
    assert "+1312" not in done.stdout + done.stderr.replace("+1312***", "")
    assert "+12060000" not in done.stdout + done.stderr


def test_logs_are_json_when_stderr_is_no_terminal(terminal: Terminal, emulator: Emulator) -> None:
    terminal.jobs(1)
    done = terminal("run", "night.csv", "--endpoint-url", emulator.url)
    events = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert events[0] == "run started"
    assert events[-1] == "run finished"


def test_the_rate_asked_is_not_exceeded(terminal: Terminal, emulator: Emulator) -> None:
    terminal.jobs(40)
    done = terminal("run", "night.csv", "--endpoint-url", emulator.url, "--rate", 20, "--json")
    assert json.loads(done.stdout)["timing"]["rate_achieved"] <= 20 * 41 / 40
    assert emulator.peak() <= 22


def test_an_emulator_of_its_own_needs_no_account(terminal: Terminal) -> None:
    terminal.jobs(20)
    done = terminal("run", "night.csv", "--emulate", "--rate", 500, "--faults", "throttle=5%")
    assert done.returncode == 0, done.stderr
    assert "all 20 rows created" in done.stdout


@pytest.mark.parametrize("results", ["csv", "jsonl"])
def test_results_can_be_written_again_in_either_format(
    terminal: Terminal, emulator: Emulator, results: str
) -> None:
    terminal.jobs(2)
    terminal("run", "night.csv", "--endpoint-url", emulator.url)
    done = terminal("results", "--results", results, "--out", "again")
    assert done.returncode == 0, done.stderr
    assert (terminal.folder / "again" / f"created.{results}").stat().st_size > 0


def test_the_end_of_a_run_is_told_to_a_command(terminal: Terminal, emulator: Emulator) -> None:
    terminal.jobs(3)
    args = ("run", "night.csv", "--endpoint-url", emulator.url, "--heartbeat", "beat.json")
    hook = f'{sys.executable} -c "import os; print(os.environ)" PROVISIONER'
    done = terminal(*args, "--on-finish", hook, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["counts"]["created"] == 3
    assert "'PROVISIONER_CREATED': '3'" in done.stderr
    assert json.loads((terminal.folder / "beat.json").read_text())["exit_code"] == 0


def test_the_end_of_a_run_that_never_began_is_told_too(terminal: Terminal) -> None:
    done = terminal("run", "none.csv", "--emulate", "--on-finish", "tee heard.json")
    assert done.returncode == 66
    heard = json.loads((terminal.folder / "heard.json").read_text())
    assert (heard["campaign"], heard["exit_code"]) == ("none", 66)
