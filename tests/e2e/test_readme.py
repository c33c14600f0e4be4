"""What the documents show works as shown."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import pytest

from provisioner.errors import ExitCode
from tests.e2e.conftest import Emulator, Terminal, environment
from tests.e2e.document import ROOT, Document

README = Document("README.md")
PASTED = "http://127.0.0.1:8080"


@pytest.fixture
def desk(terminal: Terminal) -> Terminal:
    """A terminal in a folder with the sample jobs."""
    shutil.copytree(ROOT / "jobs", terminal.folder / "jobs")
    return terminal


def test_the_main_job_against_aws(desk: Terminal, emulator: Emulator) -> None:
    rows = (desk.folder / "jobs/campaign.csv").read_text("utf-8").splitlines()[:301]
    desk.write("jobs/campaign.csv", "\n".join(rows))
    for arguments in README.commands("provisioner"):
        if arguments[0] == "emulate":
            continue
        faster = [each.replace("10", "2000") if each == "10" else each for each in arguments]
        done = desk(*faster, PROVISIONER_ENDPOINT_URL=emulator.url)
        assert done.returncode == 0, done.stderr
    assert len(emulator.sessions()) == 300


def test_the_emulator_starts_as_shown(terminal: Terminal) -> None:
    shown = next(each for each in README.commands("provisioner") if each[0] == "emulate")
    with terminal.start(*(each.replace("8080", "0") for each in shown)) as process:
        assert process.stdout is not None
        assert Emulator(process.stdout.readline().strip()).sessions() == []
        process.terminate()
        process.communicate(timeout=20)


@pytest.mark.skipif(shutil.which("aws") is None, reason="needs the AWS CLI")
def test_the_aws_cli_lists_sessions_as_shown(emulator: Emulator) -> None:
    arguments = [each.replace(PASTED, emulator.url) for each in README.commands("aws")[0]]
    keys = {"AWS_ACCESS_KEY_ID": "emulator", "AWS_SECRET_ACCESS_KEY": "emulator"}
    done = subprocess.run(
        ["aws", *arguments],
        env=environment() | keys,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert json.loads(done.stdout) == {"ProxySessions": []}, done.stderr


def test_the_library_runs_as_shown(desk: Terminal, emulator: Emulator) -> None:
    program = README.blocks("python")[0].replace(PASTED, emulator.url)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=desk.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "0 200\n", done.stderr


def test_the_permissions_it_names_are_the_policy_s() -> None:
    policy = json.loads((ROOT / "jobs/nightly/policy.json").read_text("utf-8"))
    assert re.findall(r"`(chime:\w+)`", README.text) == policy["Statement"][0]["Action"]


def test_every_exit_code_is_told() -> None:
    assert README.codes("| exit code |") == set(ExitCode)


def test_the_two_commands_exist() -> None:
    targets = (ROOT / "Makefile").read_text("utf-8")
    assert {each[0] for each in README.commands("make")} == {"demo", "test"}
    assert all(f"\n{each[0]}:" in targets for each in README.commands("make"))


def test_the_sample_readme_names_every_sample() -> None:
    text = (ROOT / "jobs/README.md").read_text("utf-8")
    for sample in (ROOT / "jobs").iterdir():
        assert sample.name == "README.md" or f"`{sample.name}`" in text
