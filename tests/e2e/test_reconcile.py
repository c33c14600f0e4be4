from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import CONNECTOR, Emulator, Terminal
from tests.e2e.test_run import rows_of


class Night:
    """night.csv at the emulator; what each command says as JSON."""

    def __init__(self, terminal: Terminal, emulator: Emulator) -> None:
        self._terminal = terminal
        self._service = ("--endpoint-url", emulator.url, "--rate", 500, "--json")

    def run(self, *arguments: object) -> dict[str, Any]:
        return self._typed("run", "night.csv", *self._service, *arguments)

    def reconcile(self, *arguments: object, settle: str = "1500ms") -> dict[str, Any]:
        return self._typed("reconcile", *self._service, "--settle", settle, *arguments)

    def _typed(self, *arguments: object) -> dict[str, Any]:
        done = self._terminal(*arguments)
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        assert found["exit_code"] == done.returncode
        return found


@pytest.fixture
def night(terminal: Terminal, emulator: Emulator) -> Night:
    return Night(terminal, emulator)


def test_rows_in_doubt_are_adopted_and_the_results_written_again(
    terminal: Terminal, emulator: Emulator, night: Night
) -> None:
    emulator.faults("lost=30%")
    terminal.jobs(30)
    in_doubt = night.run("--no-reconcile")["counts"]["needs_review"]
    found = night.reconcile()
    assert found["settled"] == {"adopt": in_doubt}
    assert found["exit_code"] == 0
    created = rows_of(terminal.folder / "out/night", "created")
    assert {row["_proxy_session_id"] for row in created} == {
        each["ProxySessionId"] for each in emulator.sessions()
    }
    assert all(row["_proxy_phone_number_1"] for row in created)
    assert {row["_error_code"] for row in created} == {""}


def test_what_is_not_due_yet_is_told_with_its_time(
    terminal: Terminal, emulator: Emulator, night: Night
) -> None:
    emulator.faults("failure_before=100%")
    terminal.jobs(3)
    night.run("--no-reconcile")
    emulator.faults("")
    found = night.reconcile(settle="15m")
    assert (found["waiting"], found["exit_code"]) == (3, 5)
    assert found["due"].endswith("Z")
    assert emulator.sessions() == []


def test_with_wait_what_is_absent_goes_back_to_pending_and_a_run_sends_it(
    terminal: Terminal, emulator: Emulator, night: Night
) -> None:
    emulator.faults("failure_before=100%")
    terminal.jobs(3)
    night.run("--no-reconcile")
    emulator.faults("")
    found = night.reconcile("--wait")
    assert found["settled"] == {"resend": 3}
    assert found["exit_code"] == 75
    assert emulator.sessions() == []
    assert night.run()["counts"]["created"] == 3


def test_a_lost_ledger_is_made_anew_from_what_the_service_has(
    terminal: Terminal, emulator: Emulator, night: Night
) -> None:
    terminal.jobs(20)
    night.run("--limit", 12)
    (terminal.folder / "provisioner.db").unlink()
    found = night.reconcile("night.csv", "--adopt")
    assert found["counts"]["created"] == 12
    assert found["exit_code"] == 75
    summary = night.run()
    assert summary["counts"]["created"] == 20
    assert summary["calls"]["adopted"] == 12
    assert summary["calls"]["attempts"] == 8
    assert len(emulator.sessions()) == 20


def test_a_new_ledger_without_adopt_is_refused(terminal: Terminal, emulator: Emulator) -> None:
    terminal.jobs(1)
    done = terminal("reconcile", "night.csv", "--endpoint-url", emulator.url)
    assert done.returncode == 65
    assert "--adopt" in done.stderr


def test_duplicates_and_orphans_are_listed(
    terminal: Terminal, emulator: Emulator, night: Night
) -> None:
    terminal.jobs(4)
    night.run("--campaign", "forgotten")
    (terminal.folder / "provisioner.db").unlink()
    emulator.faults("unavailable_after=20%")
    terminal.jobs(20)
    summary = night.run("--campaign", "night")
    emulator.faults("")
    found = night.reconcile()
    assert len(found["orphans"]) == 4
    assert len(found["duplicates"]) == summary["audit"]["duplicates"] > 0
    assert len(found["duplicates"]) == len(emulator.sessions()) - 24


def test_a_run_can_leave_the_audit_out(
    terminal: Terminal, emulator: Emulator, night: Night
) -> None:
    emulator.faults("unavailable_after=20%")
    terminal.jobs(20)
    assert night.run("--no-audit")["audit"]["duplicates"] == 0


def test_text_tells_the_same(terminal: Terminal, emulator: Emulator, night: Night) -> None:
    emulator.faults("unavailable_after=20%,lost=20%")
    terminal.jobs(20)
    night.run("--no-reconcile", "--no-audit")
    done = terminal("reconcile", "--endpoint-url", emulator.url, "--rate", 500)
    assert "rows settled" in done.stdout
    assert "duplicate " in done.stdout
    assert "0 orphans" in done.stdout


def test_rows_with_names_of_their_own_are_settled_by_name_and_numbers(
    terminal: Terminal, emulator: Emulator, night: Night
) -> None:
    rows = [f"+1206{n:07},+1312{n:07},{CONNECTOR},customer" for n in range(30)]
    header = "participant_1,participant_2,voice_connector_id,name"
    terminal.write("night.csv", "\n".join([header, *rows]))
    emulator.faults("failure_after=20%,failure_before=20%,lost=10%,reset=10%")
    assert night.run("--settle", "1500ms")["counts"]["created"] == 30
    assert len(emulator.sessions()) == 30


@pytest.mark.parametrize("missing", [("reconcile",), ("reconcile", "--campaign", "none")])
def test_there_must_be_something_to_reconcile(
    terminal: Terminal, missing: tuple[str, ...], tmp_path: Path
) -> None:
    assert terminal(*missing).returncode == 78
    assert list(tmp_path.glob("*.db")) == []
