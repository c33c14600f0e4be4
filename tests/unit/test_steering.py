from __future__ import annotations

import os
from pathlib import Path

import anyio
import pytest

from provisioner.clock import VirtualClock
from provisioner.events import Event, RateChanged
from provisioner.pacing import build_limiter
from provisioner.settings import PaceSettings
from provisioner.steering import is_rate, obey, order_file, take_order


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    return order_file(tmp_path / "night.db")


def test_orders_lie_beside_the_ledger_whatever_it_is_called(tmp_path: Path, orders: Path) -> None:
    (tmp_path / "night.db").touch()
    (tmp_path / "link.db").symlink_to("night.db")
    assert order_file(tmp_path / "link.db") == orders == tmp_path / "night.db.rate"


def test_without_an_order_there_is_none(orders: Path) -> None:
    assert take_order(orders) is None


@pytest.mark.parametrize(("text", "rate"), [("12.5\n", 12.5), ("0", 0.0), (" 100000 ", 100_000.0)])
def test_an_order_is_taken_once(orders: Path, text: str, rate: float) -> None:
    orders.write_text(text)
    assert take_order(orders) == rate
    assert take_order(orders) is None
    assert list(orders.parent.iterdir()) == []


@pytest.mark.parametrize("text", ["fast", "-1", "nan", "inf", "0.001", "1e9", "5 6", "\xff"])
def test_what_is_no_rate_is_taken_away(orders: Path, text: str) -> None:
    orders.write_text(text, "latin-1")
    assert take_order(orders) is None
    assert list(orders.parent.iterdir()) == []


def test_an_order_that_is_still_being_written_is_left(orders: Path) -> None:
    orders.touch()
    assert take_order(orders) is None
    assert orders.exists()


def test_a_run_obeys_within_a_second_and_ignores_what_was_left(orders: Path) -> None:
    clock, events = VirtualClock(), list[Event]()
    limiter = build_limiter(PaceSettings(rate=10), clock, events.append)

    async def night() -> None:
        orders.write_text("99")
        os.utime(orders, (clock.time() - 60.0,) * 2)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(obey, orders, limiter, clock)
            await clock.sleep(1.2)
            assert events == []
            orders.write_text("25")
            await clock.sleep(1.0)
            tasks.cancel_scope.cancel()

    clock.run(night())
    (changed,) = events
    assert isinstance(changed, RateChanged)
    assert (changed.rate, changed.reason) == (25.0, "operator")


def test_an_order_that_somebody_waits_for_is_obeyed_though_the_run_begins_only_now(
    orders: Path,
) -> None:
    clock, events = VirtualClock(), list[Event]()
    limiter = build_limiter(PaceSettings(rate=10), clock, events.append)
    orders.write_text("25")
    os.utime(orders, (clock.time() - 2.0,) * 2)

    async def night() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(obey, orders, limiter, clock)
            await clock.sleep(1.0)
            tasks.cancel_scope.cancel()

    clock.run(night())
    assert limiter.rate == 25.0


@pytest.mark.parametrize(("rate", "kept"), [(0, True), (0.01, True), (0.001, False), (-1, False)])
def test_a_run_can_keep_the_limiters_rates_and_pause(rate: float, *, kept: bool) -> None:
    assert is_rate(rate) == kept
