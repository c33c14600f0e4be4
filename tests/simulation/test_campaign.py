from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.simulation import table
from tests.simulation.campaign import BEGIN, END, TO_GO_ON, Campaign
from tests.simulation.table import Totals


def quiet(seeds: Sequence[int]) -> Totals:
    return Totals(counts={"nights": len(seeds), "violations": 0})


def broken(seeds: Sequence[int]) -> Totals:
    return Totals(
        counts={"nights": len(seeds), "violations": 1},
        broken=[(f"--seed {seeds[0]}", ["duplicate: job-1 has 2 sessions"])],
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "simulation.json"


def test_a_broken_night_is_told_with_the_command_that_replays_it(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(table.KINDS, "nights", broken)
    assert Campaign({"nights": 3}, file, 60.0).run(ablations=False) == 1
    said = capsys.readouterr().err
    assert "python -m tests.simulation --seed 0\n    duplicate: job-1 has 2 sessions" in said


def test_a_campaign_that_was_cut_short_goes_on_where_it_was(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(table.KINDS, "nights", quiet)
    assert Campaign({"nights": 60}, file, 0.0).run(ablations=False) == TO_GO_ON
    assert "| nights | 25 |" in capsys.readouterr().out
    assert Campaign({"nights": 60}, file, 60.0).run(ablations=False) == 0
    assert "| nights | 60 |" in capsys.readouterr().out


def test_publishing_replaces_all_that_an_earlier_commit_said(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(table.KINDS, "nights", quiet)
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nof an earlier commit\n{END}\nafter\n", "utf-8")
    campaign = Campaign({"nights": 60}, file, 60.0)
    campaign.run(ablations=False)
    campaign.publish(page)
    text = page.read_text("utf-8")
    assert text.startswith(f"before\n{BEGIN}\nAt commit ")
    assert "nights by seed, seeds 0 to 59." in text
    assert text.endswith(f"\n{END}\nafter\n")
    assert "earlier" not in text
