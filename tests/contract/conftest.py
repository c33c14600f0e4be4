"""A ledger, and its settlement over each of its shells."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from provisioner.ledger import GroupCommitLedger, ImmediateLedger, LedgerSettlement, SqliteLedger
from provisioner.record import Layout, NewCampaign
from tests.contract.settlement_desk import Desk, row


@pytest.fixture
def core(tmp_path: Path) -> Iterator[SqliteLedger]:
    with SqliteLedger(tmp_path / "ledger.db") as core:
        new = NewCampaign(name="night", input_name="a.csv", input_sha256="00", defaults="{}")
        with core.begin_intake(new) as intake:
            intake.add([row(number) for number in range(1, 6)])
            core.select(intake.commit(Layout(format="csv")).id)
        yield core


@pytest.fixture(params=["group commit", "immediate"])
async def desk(request: pytest.FixtureRequest, core: SqliteLedger) -> AsyncIterator[Desk]:
    if request.param == "immediate":
        shell = ImmediateLedger(core)
        yield Desk(shell, LedgerSettlement(shell), core)
        return
    async with GroupCommitLedger(core) as grouped:
        yield Desk(grouped, LedgerSettlement(grouped), core)
