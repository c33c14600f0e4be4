"""No command and no option without a word in the documents, and no word without its option."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provisioner.cli.commands import COMMANDS
from provisioner.cli.options import option_names

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "jobs/README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(each.read_text("utf-8") for each in DOCUMENTS)
SAMPLE = (ROOT / "jobs/provisioner.toml").read_text("utf-8")
OPTIONS = option_names() | {"help", "version"}


def flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_shown(command: str) -> None:
    assert f"provisioner {command}" in TEXT


@pytest.mark.parametrize("name", sorted(option_names()))
def test_every_option_is_a_sample_key_or_told_of(name: str) -> None:
    assert re.search(rf"^# {name} = ", SAMPLE, re.MULTILINE) or re.search(
        rf"{flag(name)}\b(?!-)", TEXT
    )


def test_every_option_that_is_told_of_exists() -> None:
    told = set(re.findall(r"`(--[a-z][a-z-]*)", TEXT))
    # The other half of a flag that is on unless told otherwise.
    assert told <= {flag(name) for name in OPTIONS} | {f"--no-{name}" for name in OPTIONS}
