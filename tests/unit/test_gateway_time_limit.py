"""One timer for many futures: each fails in time, and what is done is left alone."""

from __future__ import annotations

import asyncio

import pytest

from provisioner.clock import VirtualClock
from provisioner.gateway.time_limit import TimeLimit


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


async def done_after(seconds: float, limit: TimeLimit) -> str:
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    limit.begin(future)
    loop.call_later(seconds, lambda: future.done() or future.set_result("done"))
    try:
        return str(await future)
    except TimeoutError:
        return f"over at {loop.time():g}"
    finally:
        limit.end(future)


def test_only_futures_that_take_too_long_fail_and_each_at_its_own_time(clock: VirtualClock) -> None:
    async def program() -> list[str]:
        limit = TimeLimit(10.0)
        tasks = []
        for seconds in (60.0, 3.0, 60.0, 9.0):
            tasks.append(asyncio.create_task(done_after(seconds, limit)))
            await asyncio.sleep(2.0)
        return list(await asyncio.gather(*tasks))

    assert clock.run(program()) == ["over at 10", "done", "over at 14", "done"]


def test_a_limit_watches_again_after_everybody_has_left(clock: VirtualClock) -> None:
    async def program() -> list[str]:
        limit = TimeLimit(10.0)
        found = [await done_after(seconds, limit) for seconds in (1.0, 60.0, 60.0)]
        await asyncio.sleep(100.0)
        return [*found, await done_after(60.0, limit)]

    assert clock.run(program()) == ["done", "over at 11", "over at 21", "over at 131"]


def test_it_tells_when_the_time_is_over(clock: VirtualClock) -> None:
    async def program() -> float | None:
        await asyncio.sleep(5.0)
        return TimeLimit(10.0).begin(asyncio.get_running_loop().create_future())

    assert clock.run(program()) == 15.0


def test_no_seconds_are_no_limit(clock: VirtualClock) -> None:
    async def program() -> str:
        return await done_after(1e5, TimeLimit(None))

    assert clock.run(program()) == "done"


def test_a_future_that_is_done_in_time_keeps_its_result(clock: VirtualClock) -> None:
    async def program() -> str:
        future = asyncio.get_running_loop().create_future()
        TimeLimit(10.0).begin(future)
        future.set_result("done")
        await asyncio.sleep(60.0)
        return str(await future)

    assert clock.run(program()) == "done"


def test_a_cancellation_is_not_taken_for_a_timeout(clock: VirtualClock) -> None:
    async def program() -> bool:
        task = asyncio.create_task(done_after(60.0, TimeLimit(10.0)))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_at(10.0, task.cancel)
        await asyncio.wait([task])
        return task.cancelled()

    assert clock.run(program())
