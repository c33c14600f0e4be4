"""One timer for many blocks: each ends in time, and nobody else's cancellation is taken for it."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from provisioner.clock import VirtualClock
from provisioner.gateway.time_limit import TimeLimit


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


async def sleep_within(limit: TimeLimit, seconds: float) -> str:
    try:
        with limit:
            await asyncio.sleep(seconds)
    except TimeoutError:
        return f"over at {asyncio.get_running_loop().time():g}"
    return "done"


def test_only_blocks_that_take_too_long_end_and_each_at_its_own_time(clock: VirtualClock) -> None:
    async def program() -> list[str]:
        limit = TimeLimit(10.0)
        tasks = []
        for seconds in (60.0, 3.0, 60.0, 9.0):
            tasks.append(asyncio.create_task(sleep_within(limit, seconds)))
            await asyncio.sleep(2.0)
        return list(await asyncio.gather(*tasks))

    assert clock.run(program()) == ["over at 10", "done", "over at 14", "done"]


def test_a_limit_watches_again_after_everybody_has_left(clock: VirtualClock) -> None:
    async def program() -> list[str]:
        limit = TimeLimit(10.0)
        found = [await sleep_within(limit, seconds) for seconds in (1.0, 60.0, 60.0)]
        await asyncio.sleep(100.0)
        return [*found, await sleep_within(limit, 60.0)]

    assert clock.run(program()) == ["done", "over at 11", "over at 21", "over at 131"]


def test_no_seconds_are_no_limit(clock: VirtualClock) -> None:
    async def program() -> str:
        return await sleep_within(TimeLimit(None), 1e5)

    assert clock.run(program()) == "done"


def test_a_cancellation_from_elsewhere_stays_one(clock: VirtualClock) -> None:
    async def program() -> bool:
        limit = TimeLimit(10.0)
        with anyio.move_on_after(5.0) as scope:
            await sleep_within(limit, 60.0)
        return scope.cancelled_caught

    assert clock.run(program())


def test_a_cancellation_at_the_same_moment_is_not_lost(clock: VirtualClock) -> None:
    async def program() -> bool:
        task = asyncio.create_task(sleep_within(TimeLimit(10.0), 60.0))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_at(10.0, task.cancel)
        await asyncio.wait([task])
        return task.cancelled()

    assert clock.run(program())


def test_another_error_of_a_late_block_is_its_own(clock: VirtualClock) -> None:
    async def program() -> None:
        with TimeLimit(10.0):
            try:
                await asyncio.sleep(60.0)
            except asyncio.CancelledError:
                raise ZeroDivisionError from None

    with pytest.raises(ZeroDivisionError):
        clock.run(program())
