"""The measurement of a million listed sessions still measures, with fewer of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.million_listed import main


async def test_every_session_is_settled_or_adopted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await main(1_200, tmp_path / "ledger.db")
    table = capsys.readouterr().out.partition("|---|---:|---:|---:|\n")[2].splitlines()
    assert [line.split(" | ")[1] for line in table] == ["1,000", "200", "0", "0"]
