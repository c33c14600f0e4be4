from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.simulation.ablations import ABLATIONS
from tests.simulation.catching import as_row, catch, catch_somehow
from tests.simulation.harder import HARDER
from tests.simulation.night import simulate
from tests.simulation.scenario import Scenario, scenario


@pytest.mark.parametrize("safeguard", ABLATIONS)
def test_the_checker_notices_that_a_safeguard_is_gone(safeguard: str) -> None:
    found = catch(safeguard, range(40), HARDER.get(safeguard, scenario), harm=False)
    assert found.night is not None


@pytest.mark.parametrize("trying", HARDER.values())
def test_nights_that_are_harder_break_no_promise(trying: Callable[[int], Scenario]) -> None:
    assert all(not simulate(trying(seed)).violations for seed in range(20))


def test_a_safeguard_that_no_usual_night_needs_is_put_to_the_test_by_a_harder_one() -> None:
    found = catch_somehow("the audit's wait", range(20))
    assert found.night is None
    assert found.caught
    assert "with a service that does what it says it is unavailable for" in as_row(found)
