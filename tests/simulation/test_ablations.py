from __future__ import annotations

import pytest

from tests.simulation.ablations import ABLATIONS
from tests.simulation.catching import catch

RARE = {"the second listing": range(160, 190)}
"""Safeguards whose absence few nights show, and where to look first."""


@pytest.mark.parametrize("safeguard", ABLATIONS)
def test_the_checker_notices_that_a_safeguard_is_gone(safeguard: str) -> None:
    found = catch(safeguard, RARE.get(safeguard, range(30)), harm=False)
    assert found.night is not None
