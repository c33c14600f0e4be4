from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.cli.run import run

ROWS_TO_RETRY = [
    *[(text, "*") for text in ("1", "true", "Yes")],
    *[(text, None) for text in ("0", "false", "no", "")],
    ("BadRequestException", "BadRequestException"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def configured(text: str, name: str, *arguments: str) -> object:
    """What `run` gets for an option."""
    Path("provisioner.toml").write_text(text)
    return run.make_context("run", ["night.csv", *arguments]).params[name]


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("quiet = 1", "quiet", True),
        ("quiet = false", "quiet", False),
        ("audit = false", "audit", False),
        ("rate = 5", "rate", 5.0),
        ('rate = "5"', "rate", 5.0),
        ("expiry_minutes = 60", "expiry_minutes", 60),
        ("campaign = 2024", "campaign", "2024"),
        ('timeout = "5s"', "timeout", 5.0),
        ("retry_failed = true", "retry_failed", "*"),
        ("retry_failed = false", "retry_failed", None),
    ],
)
def test_a_value_reads_as_if_it_was_typed(text: str, name: str, value: object) -> None:
    assert configured(text, name) == value


def test_a_value_of_another_command_is_left_alone() -> None:
    assert configured("port = 8080", "burst") is None


@pytest.mark.parametrize(("text", "value"), ROWS_TO_RETRY)
def test_the_environment_may_say_yes_or_no_to_failed_rows(
    monkeypatch: pytest.MonkeyPatch, text: str, value: str | None
) -> None:
    monkeypatch.setenv("PROVISIONER_RETRY_FAILED", text)
    assert configured("", "retry_failed") == value


def test_the_bare_option_means_every_failed_row() -> None:
    assert configured("", "retry_failed", "--retry-failed") == "*"
