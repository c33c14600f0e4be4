import asyncio
from collections import Counter
from itertools import pairwise

import pytest

from provisioner.clock import VirtualClock
from tests.unit.limited_callers import LateClock, World


def test_callers_are_served_in_the_order_they_came():
    world = World(10.0)
    world.run(*(world.caller(name) for name in range(20)))
    assert world.names == list(range(20))


def test_callers_who_come_back_share_alike():
    world = World(10.0)
    world.run(*(world.caller(name, calls=5) for name in range(4)))
    # The first comes back before the others have come at all.
    assert world.names[:17] == [0, *([0, 1, 2, 3] * 4)]


def test_calls_start_an_interval_apart():
    world = World(10.0)
    world.run(world.caller("a", calls=5))
    assert world.times == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def test_a_newcomer_does_not_overtake_one_who_waits_for_a_token_that_is_there():
    world = World(10.0)

    async def newcomer():
        await world.clock.sleep(0.1)
        await world.caller("new")

    world.run(world.caller("first"), world.caller("waiting"), newcomer())
    assert world.names == ["first", "waiting", "new"]


def test_a_token_that_is_there_is_taken_without_giving_way():
    world = World(10.0)

    async def program():
        bystander = asyncio.create_task(asyncio.sleep(0))
        await world.limiter.take()
        ran = bystander.done()
        await bystander
        return ran

    assert world.clock.run(program()) is False


@pytest.mark.parametrize("cancelled", [1, 2], ids=["the first in line", "one behind it"])
def test_a_cancelled_wait_costs_no_token(cancelled):
    world = World(1.0)

    async def program():
        tasks = [asyncio.create_task(world.caller(name)) for name in range(4)]
        await world.clock.sleep(0.5)
        tasks[cancelled].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    world.clock.run(program())
    assert world.times == pytest.approx([0.0, 1.0, 2.0])
    assert world.names == [name for name in range(4) if name != cancelled]


@pytest.mark.parametrize(
    ("rate", "late"),
    [(1.0, 0.015), (10.0, 0.001), (45.0, 0.0002), (100.0, 0.015), (500.0, 0.015), (2000.0, 0.015)],
)
def test_late_timers_do_not_lower_the_rate(rate, late):
    world = World(rate, clock=LateClock(late))
    calls = max(40, int(2 * rate))
    world.run(*(world.caller(name, calls=calls // 20) for name in range(20)))
    elapsed = world.times[-1] - world.times[0]
    assert (len(world.times) - 1) / elapsed == pytest.approx(rate, rel=0.01)


def test_with_a_burst_no_sleep_is_shorter_than_a_timer_can_count():
    class ReportingClock(VirtualClock):
        shortest = 1.0

        async def sleep(self, seconds):
            self.shortest = min(self.shortest, seconds)
            await super().sleep(seconds)

    world = World(50_000.0, clock=ReportingClock())
    world.run(world.caller("a", calls=1000))
    assert world.clock.shortest == 0.002
    assert world.times[-1] == pytest.approx(1000 / 50_000, rel=0.05)


def test_a_stall_is_not_caught_up():
    world = World(100.0)

    async def stall():
        await world.clock.sleep(1.0)
        world.clock.now += 5.0

    world.run(world.caller("a", calls=300), stall())
    per_second = Counter(int(time) for time in world.times)
    assert max(per_second.values()) <= 100 + 1 + 2


def test_whoever_wakes_late_wakes_as_many_as_there_are_tokens():
    world = World(1000.0)

    async def ten_callers_and_a_stall():
        callers = [asyncio.ensure_future(world.caller(name)) for name in range(10)]
        await asyncio.sleep(0)
        world.clock.now += 0.015
        await asyncio.gather(*callers)

    world.clock.run(ten_callers_and_a_stall())
    assert world.names == list(range(10))
    assert len([time for time in world.times if time == world.times[-1]]) == 9


def test_a_caller_gone_after_its_turn_came_costs_no_token():
    world = World(1.0, burst=3)

    async def program():
        async def second():
            await world.caller(1)
            # It has just woken the third, whose token is there; the third has not run yet.
            callers[2].cancel()

        callers = [
            asyncio.ensure_future(each)
            for each in (world.caller(0), second(), world.caller(2), world.caller(3))
        ]
        await asyncio.sleep(0)
        world.clock.now += 2.0
        await asyncio.gather(*callers, return_exceptions=True)

    world.clock.run(program())
    assert world.names == [0, 1, 3]
    # Two tokens had come by then; with one of them lost it would be 3.
    assert world.times[-1] < 3.0


def test_no_token_is_taken_before_its_caller_runs():
    world = World(1000.0, burst=1)

    async def program():
        callers = [asyncio.ensure_future(world.caller(name)) for name in range(10)]
        while len(world.taken) < 10:
            world.clock.now += 0.0037
            await asyncio.sleep(0)
        await asyncio.gather(*callers)

    world.clock.run(program())
    gaps = [later - earlier for earlier, later in pairwise(world.times)]
    assert min(gaps) >= 0.001 - 1e-9


def test_a_caller_gone_before_its_turn_wakes_the_next():
    world = World(10.0)

    async def program():
        callers = [asyncio.ensure_future(world.caller(name)) for name in range(4)]
        await callers[1]
        callers[2].cancel()
        await asyncio.gather(*callers, return_exceptions=True)

    world.clock.run(program())
    assert world.names == [0, 1, 3]


class Held(World):
    """Between a token and its departure every call waits for the disk, sometimes for long."""

    def __init__(self, rate, *, burst=None, stalls=()):
        super().__init__(rate, burst=burst)
        self.stalls = list(stalls)
        self.departed = []

    async def caller(self, name, calls=1):
        for _ in range(calls):
            await self.limiter.take()
            self.taken.append((name, self.clock.monotonic()))
            await self.disk()
            await self.limiter.depart()
            self.departed.append(self.clock.monotonic())

    async def disk(self):
        now = self.clock.monotonic()
        until = max((end for begin, end in self.stalls if begin <= now < end), default=now)
        await self.clock.sleep(until - now + 0.005)


def test_calls_that_a_slow_disk_held_up_leave_at_the_rate():
    world = Held(100.0, burst=1, stalls=[(1.0, 1.6)])
    world.run(*(world.caller(name, calls=4) for name in range(100)))
    gaps = [later - earlier for earlier, later in pairwise(world.departed)]
    assert min(gaps) >= 0.01 - 1e-9


def test_a_slow_disk_costs_no_more_than_its_stall():
    world = Held(100.0, stalls=[(1.0, 1.6), (3.0, 3.3)])
    world.run(*(world.caller(name, calls=10) for name in range(100)))
    assert world.departed[-1] <= 9.99 + 0.9


def test_few_calls_wait_to_leave_when_a_stall_is_over():
    world = Held(100.0, stalls=[(1.0, 1.6)])
    world.run(*(world.caller(name, calls=10) for name in range(100)))
    waiting = sum(taken <= 3.0 for taken in world.times) - sum(at <= 3.0 for at in world.departed)
    assert waiting <= 3 + 25 + 6


@pytest.mark.parametrize("rate", [0.01, 0.0135, 0.1, 1.0])
def test_however_slow_the_rate_no_intent_ages_long_before_its_call_leaves(rate):
    world = World(rate, burst=1)
    waits = []

    async def caller():
        for _ in range(10):
            await world.limiter.take()
            prepared = world.clock.monotonic()
            await world.clock.sleep(70.0 if len(waits) == 3 else 0.1)
            leaving = world.clock.monotonic()
            await world.limiter.depart()
            waits.append(world.clock.monotonic() - leaving)
            assert world.clock.monotonic() - prepared < 90.0

    world.run(caller(), caller(), caller())
    assert max(waits[8:]) <= 20.0
