from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.cli import ordering
from provisioner.cli.ordering import order
from provisioner.errors import CannotWriteError, ConfigurationError


def test_an_order_that_cannot_be_left_is_told_with_what_it_takes(tmp_path: Path) -> None:
    ledger = tmp_path / ("x" * 252)
    ledger.touch()
    with pytest.raises(CannotWriteError, match="File name too long") as told:
        order(5.0, str(ledger))
    assert "beside its ledger" in told.value.hint


@pytest.mark.parametrize("ending", [KeyboardInterrupt, None])
def test_an_order_that_nobody_obeys_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: type[BaseException] | None
) -> None:
    def wait(_: float) -> None:
        if ending is not None:
            raise ending

    monkeypatch.setattr(ordering.time, "sleep", wait)
    ledger = tmp_path / "night.db"
    ledger.touch()
    with pytest.raises(ending or ConfigurationError):
        order(5.0, str(ledger))
    assert list(tmp_path.iterdir()) == [ledger]
