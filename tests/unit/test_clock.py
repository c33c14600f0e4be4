import asyncio
import time

import anyio
import pytest

from provisioner.clock import SystemClock, VirtualClock


def test_sleepers_wake_in_the_order_of_their_time():
    clock, woken = VirtualClock(), []

    async def sleeper(seconds):
        await clock.sleep(seconds)
        woken.append((seconds, clock.monotonic()))

    async def program():
        await asyncio.gather(*map(sleeper, (3600.0, 1.0, 60.0)))

    clock.run(program())
    assert woken == [(1.0, 1.0), (60.0, 60.0), (3600.0, 3600.0)]


def test_virtual_hours_take_no_time():
    clock, started = VirtualClock(), time.monotonic()
    clock.run(clock.sleep(86_400.0 * 30))
    assert time.monotonic() - started < 5


def test_the_wall_clock_moves_with_the_monotonic_one():
    clock = VirtualClock(epoch=1000.0)
    clock.run(clock.sleep(5.0))
    assert clock.time() == 1005.0


def test_timeouts_count_virtual_seconds():
    clock = VirtualClock()

    async def program():
        with anyio.fail_after(10):
            await anyio.Event().wait()

    with pytest.raises(TimeoutError):
        clock.run(program())
    assert clock.monotonic() == pytest.approx(10.0)


def test_a_result_is_handed_back():
    async def program():
        return 7

    assert VirtualClock().run(program()) == 7


def test_time_waits_for_whoever_is_ready():
    clock = VirtualClock()

    async def program():
        alarm = asyncio.create_task(clock.sleep(1.0))
        for _ in range(100):
            await asyncio.sleep(0)
        seen = clock.monotonic()
        await alarm
        return seen

    assert clock.run(program()) == 0.0


def test_a_thread_is_waited_for_where_there_is_no_timer():
    clock = VirtualClock()

    async def program():
        return await asyncio.to_thread(lambda: 7)

    assert clock.run(program()) == 7


async def test_the_system_clock_is_the_machines():
    clock = SystemClock()
    await clock.sleep(0)
    assert abs(clock.time() - time.time()) < 5
    assert abs(clock.monotonic() - time.monotonic()) < 5


async def test_the_last_tenth_of_a_millisecond_is_not_given_to_others():
    bystander = asyncio.create_task(asyncio.sleep(0))
    await SystemClock().sleep(0.00009)
    assert not bystander.done()
    await bystander


async def test_a_longer_wait_below_what_timers_count_is_given_to_others():
    bystander = asyncio.create_task(asyncio.sleep(0))
    await SystemClock().sleep(0.0014)
    assert bystander.done()
