from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.cli.settings import refuse_own_results
from provisioner.errors import UsageError
from provisioner.settings import InputSettings, Settings


def settings(jobs: str, **others: object) -> Settings:
    return Settings(input=InputSettings(path=jobs), **others)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "night",
    [
        settings("failed.csv", out=Path()),
        settings("pending.jsonl", out=Path("../here"), results="csv"),
        settings("out/night/failed.tsv", campaign="night"),
        settings("out/failed/failed.csv"),
    ],
    ids=str,
)
def test_a_job_file_that_the_results_would_replace_is_refused(
    night: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UsageError, match="would replace the job file"):
        refuse_own_results(night)


@pytest.mark.parametrize(
    "night",
    [
        Settings(campaign="night"),
        settings("-"),
        settings("failed.csv"),
        settings("night.csv", out=Path()),
        settings("out/night/failed.csv", campaign="again"),
    ],
    ids=str,
)
def test_any_other_job_file_is_taken(night: Settings) -> None:
    refuse_own_results(night)


def test_a_link_that_leads_back_to_itself_is_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop.csv").symlink_to("loop.csv")
    refuse_own_results(settings("loop.csv"))


def test_a_heartbeat_among_the_results_is_refused() -> None:
    night = settings("night.csv", out=Path("night"))
    refuse_own_results(night, Path("heartbeat.json"))
    with pytest.raises(UsageError, match="would replace the heartbeat"):
        refuse_own_results(night, Path("night/summary.json"))
