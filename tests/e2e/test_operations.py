"""The night in docs/operations.md goes as shown."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from provisioner.errors import ExitCode
from provisioner.report.exits import PRECEDENCE
from tests.e2e.conftest import Emulator, Terminal, environment
from tests.e2e.document import Document

OPERATIONS = Document("docs/operations.md")
PASTED = "11111111-2222-3333-4444-555555555555"


def test_a_night_goes_as_shown(terminal: Terminal, emulator: Emulator) -> None:
    (terminal.folder / "jobs").mkdir()
    terminal.jobs(12, "jobs/campaign.csv")
    later = f"{datetime.now(UTC) + timedelta(hours=12):%H:%M}"
    for arguments in OPERATIONS.commands("provisioner"):
        shown = {"10": "500", "06:00": later}
        done = terminal(
            *(shown.get(each, each) for each in arguments),
            PROVISIONER_ENDPOINT_URL=emulator.url,
            PROVISIONER_TIME_ZONE="UTC",
        )
        # There is no run any more whose rate could be changed.
        code = ExitCode.CONFIGURATION if arguments[0] == "rate" else ExitCode.OK
        assert done.returncode == code, (arguments, done.stderr)
    assert len(emulator.sessions()) == 12


@pytest.mark.skipif(shutil.which("aws") is None, reason="needs the AWS CLI")
def test_a_duplicate_is_deleted_as_shown(terminal: Terminal, emulator: Emulator) -> None:
    terminal.jobs(1)
    assert terminal("run", "night.csv", "--endpoint-url", emulator.url).returncode == 0
    (session,) = emulator.sessions()
    (arguments,) = OPERATIONS.commands("aws")
    here = [each.replace(PASTED, session["ProxySessionId"]) for each in arguments]
    keys = {"AWS_ACCESS_KEY_ID": "emulator", "AWS_SECRET_ACCESS_KEY": "emulator"}
    done = subprocess.run(
        ["aws", *here, "--endpoint-url", emulator.url, "--region", "us-east-1"],
        env=environment() | keys,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [each["Status"] for each in emulator.sessions()] in ([], ["Closed"])


def test_every_exit_code_has_something_to_do() -> None:
    assert OPERATIONS.codes("| code |") == set(ExitCode)


def test_the_order_among_exit_codes_is_ours() -> None:
    order = ", ".join(str(code.value) for code in PRECEDENCE)
    assert f"the first of {order} is told" in " ".join(OPERATIONS.text.split())
