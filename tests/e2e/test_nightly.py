"""The nightly recipes: each taken by its own tool, and what they type taken by ours."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from configparser import RawConfigParser
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from crontab import CronTab

from provisioner.cli.configuration import read_config
from provisioner.cli.options import option_names
from provisioner.cli.run import run
from tests.e2e.conftest import COMMAND, Emulator, Terminal

NIGHTLY = Path(__file__).parents[2] / "jobs/nightly"
KUBERNETES = "1.31"
INSTALLED = "/opt/provisioner/bin/provisioner"
SERVICE = (NIGHTLY / "provisioner@.service").read_text("utf-8")


def said_by(tool: str, *arguments: object) -> tuple[int, str]:
    """The exit code of somebody's own tool, and all it says."""
    found = shutil.which(tool, path=f"{COMMAND.parent}:{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{tool} is not installed")
    done = subprocess.run(
        [found, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def unit() -> RawConfigParser:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(SERVICE)
    return parser


def objects() -> dict[str, dict[str, Any]]:
    """What kubectl would apply, by kind."""
    loaded = yaml.safe_load_all((NIGHTLY / "kubernetes.yaml").read_text("utf-8"))
    return {each["kind"]: each for each in loaded}


class Template(yaml.SafeLoader):
    """CloudFormation's YAML; a function is what it is given."""


Template.add_multi_constructor("!", lambda loader, _, node: loader.construct_scalar(node))


def template() -> dict[str, Any]:
    """The CloudFormation resources."""
    loaded = yaml.load((NIGHTLY / "ecs.yaml").read_text("utf-8"), Template)  # noqa: S506  # a safe one
    resources: dict[str, Any] = loaded["Resources"]
    return resources


def crontab() -> CronTab:
    return CronTab(tabfile=str(NIGHTLY / "provisioner.cron"), user=False)


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units, with the command where it is installed here."""
    service, timer = tmp_path / "provisioner@night.service", tmp_path / "provisioner@night.timer"
    service.write_text(SERVICE.replace(INSTALLED, str(COMMAND)), "utf-8")
    timer.write_text((NIGHTLY / "provisioner@.timer").read_text("utf-8"), "utf-8")
    return [service, timer]


def by_systemd() -> list[str]:
    return shlex.split(unit()["Service"]["ExecStart"])[1:]


def by_cron() -> list[str]:
    command: str = crontab()[0].command
    return shlex.split(command.partition("&& provisioner ")[2].partition(" >>")[0])


def by_kubernetes() -> list[str]:
    job = objects()["CronJob"]["spec"]["jobTemplate"]["spec"]
    arguments: list[str] = job["template"]["spec"]["containers"][0]["args"]
    return arguments


def by_ecs() -> list[str]:
    task = template()["Task"]["Properties"]["ContainerDefinitions"][0]
    arguments: list[str] = task["Command"]
    return arguments


def test_systemd_takes_the_units(units: list[Path]) -> None:
    assert said_by("systemd-analyze", "verify", *units) == (0, "")


def test_the_service_is_sandboxed(units: list[Path]) -> None:
    code, said = said_by("systemd-analyze", "security", "--offline=1", "--threshold=15", units[0])
    assert code == 0, said


@pytest.mark.parametrize(
    ("hour", "starts"), [("21", False), ("22", True), ("05", True), ("06", False)]
)
def test_the_service_starts_within_the_window_only(tmp_path: Path, hour: str, starts: bool) -> None:
    clock = tmp_path / "date"
    clock.write_text(f"#!/bin/sh\necho {hour}\n")
    clock.chmod(0o755)
    condition = unit()["Service"]["ExecCondition"].replace("$$", "$").replace("%%", "%")
    done = subprocess.run(shlex.split(condition), env={"PATH": str(tmp_path)}, check=False)
    assert (done.returncode == 0) is starts


def test_what_the_service_starts_provisions_its_campaign(
    terminal: Terminal, emulator: Emulator
) -> None:
    folder = terminal.folder
    specifiers = {"%i": "campaign", "%S": str(folder / "lib"), "%E": str(folder / "etc")}

    def expanded(name: str) -> str:
        text = unit()["Service"][name]
        for specifier, value in specifiers.items():
            text = text.replace(specifier, value)
        return text

    terminal.folder = Path(expanded("WorkingDirectory"))
    (terminal.folder / "jobs").mkdir(parents=True)
    (folder / "etc/provisioner").mkdir(parents=True)
    shutil.copy(NIGHTLY / "night.toml", folder / "etc/provisioner")
    terminal.jobs(5, "jobs/campaign.csv")
    # The deadline is a time of day, which may be any moment now.
    later = f"{datetime.now(UTC) + timedelta(hours=12):%H:%M}"
    done = terminal(
        *shlex.split(expanded("ExecStart"))[1:],
        PROVISIONER_ENDPOINT_URL=emulator.url,
        PROVISIONER_DEADLINE=later,
    )
    assert done.returncode == 0, done.stderr
    assert len(emulator.sessions()) == 5


def test_cron_takes_the_crontab() -> None:
    (job,) = crontab()
    assert (job.slices.render(), job.user, job.is_valid()) == ("0 22 * * *", "provisioner", True)


def test_cron_finds_the_command_and_has_somebody_to_tell() -> None:
    variables = dict(crontab().env) | dict(crontab()[0].env)
    assert variables["PATH"].startswith(str(Path(INSTALLED).parent))
    assert variables["MAILTO"]


def test_hadolint_has_nothing_to_say_of_the_container_file() -> None:
    assert said_by("hadolint", NIGHTLY / "Dockerfile") == (0, "")


def test_kubernetes_takes_the_objects() -> None:
    for each in objects().values():
        kubernetes_validate.validate(each, KUBERNETES, strict=True)


def test_kubernetes_and_the_others_are_configured_alike() -> None:
    shown = tomllib.loads(objects()["ConfigMap"]["data"]["night.toml"])
    assert shown == tomllib.loads((NIGHTLY / "night.toml").read_text("utf-8"))


def test_the_night_s_configuration_has_options_of_ours_only() -> None:
    assert read_config(NIGHTLY / "night.toml", option_names())


def test_cloudformation_takes_the_template() -> None:
    assert said_by("cfn-lint", NIGHTLY / "ecs.yaml") == (0, "")


def test_the_task_may_do_what_the_policy_says() -> None:
    policy = json.loads((NIGHTLY / "policy.json").read_text("utf-8"))
    assert template()["TaskRole"]["Properties"]["Policies"][0]["PolicyDocument"] == policy


@pytest.mark.parametrize("typed", [by_systemd, by_cron, by_kubernetes, by_ecs])
def test_what_a_recipe_types_is_understood(
    typed: Callable[[], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(NIGHTLY / "night.toml", tmp_path)
    command, *arguments = [
        "night.toml" if each.endswith("night.toml") else each for each in typed()
    ]
    assert command == "run"
    assert run.make_context("run", arguments).params["max_rows"] == 50_000
