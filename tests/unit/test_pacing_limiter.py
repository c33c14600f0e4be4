import asyncio
from collections import Counter
from itertools import pairwise
from random import Random

import msgspec
import pytest

from provisioner.clock import VirtualClock
from provisioner.errors import ConfigurationError
from provisioner.events import RateChanged
from provisioner.job import Outcome, Verdict
from provisioner.pacing import build_limiter
from provisioner.record import LearnedRate
from provisioner.settings import PaceSettings

ACCEPTED = Outcome(verdict=Verdict.CREATED)
THROTTLED = Outcome(verdict=Verdict.RETRYABLE, throttled=True)
UNANSWERED = Outcome(verdict=Verdict.AMBIGUOUS, answered=False)


class LateClock(VirtualClock):
    """Timers fire up to `late` seconds late, as they do in a busy process."""

    def __init__(self, late):
        super().__init__()
        self.late = late
        self.random = Random(7)

    async def sleep(self, seconds):
        await super().sleep(seconds + self.random.uniform(0, self.late))


class World:
    def __init__(self, rate, *, burst=None, clock=None):
        self.clock = clock or VirtualClock()
        self.events = []
        self.limiter = build_limiter(
            PaceSettings(rate=rate, burst=burst), self.clock, self.events.append
        )
        self.taken = []

    async def caller(self, name, calls=1):
        for _ in range(calls):
            await self.limiter.take()
            await self.limiter.depart()
            self.taken.append((name, self.clock.monotonic()))

    def run(self, *callers):
        async def program():
            await asyncio.gather(*callers)

        self.clock.run(program())

    @property
    def names(self):
        return [name for name, _ in self.taken]

    @property
    def times(self):
        return [time for _, time in self.taken]


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


def test_throttles_slow_it_down_and_say_so():
    world = World(10.0)
    world.clock.now = 2.0
    for sent_at in (1.5, 1.6):
        world.limiter.observe(THROTTLED, sent_at=sent_at)
    assert world.limiter.rate == 5.0
    assert world.events == [
        RateChanged(
            rate=5.0, previous=10.0, reason="throttled by the service", at=world.clock.time()
        )
    ]


def test_recovery_is_told_as_well():
    world = World(10.0)
    world.clock.now = 2.0
    for sent_at in (1.5, 1.6):
        world.limiter.observe(THROTTLED, sent_at=sent_at)
    for _ in range(20):
        world.limiter.observe(ACCEPTED, sent_at=4.0)
    assert [event.reason for event in world.events] == ["throttled by the service", "no throttles"]


def test_a_call_nobody_answered_says_nothing():
    world = World(10.0)
    world.clock.now = 2.0
    for _ in range(100):
        silent_throttle = msgspec.structs.replace(UNANSWERED, throttled=True)
        world.limiter.observe(silent_throttle, sent_at=1.5)
    assert world.events == []


def test_a_caller_already_waiting_feels_a_new_rate_within_a_second():
    world = World(100.0)

    async def program():
        await world.limiter.take()
        for sent_at in (2.0, 2.0, 4.0, 4.0, 6.0, 6.0, 8.0, 8.0, 10.0, 10.0, 12.0, 12.0, 14.0, 14.0):
            world.clock.now = sent_at
            world.limiter.observe(THROTTLED, sent_at=sent_at)
        slow = world.limiter.rate
        await world.limiter.take()
        waiting = asyncio.create_task(world.caller("waiting"))
        await world.clock.sleep(0.01)
        for _ in range(2):
            world.clock.now += 5.0
            for _ in range(20):
                world.limiter.observe(ACCEPTED, sent_at=world.clock.now)
        before = world.clock.now
        await waiting
        return slow, world.clock.now - before

    slow, waited = world.clock.run(program())
    assert slow == 1.0
    assert waited <= 1.0


@pytest.mark.parametrize("rate", [0.0, -1.0, 0.001, 1e6, float("nan"), float("inf")])
def test_a_rate_out_of_range_is_refused(rate):
    with pytest.raises(ConfigurationError) as refused:
        World(rate)
    assert "--rate" in refused.value.hint


def test_a_burst_of_none_is_refused():
    with pytest.raises(ConfigurationError) as refused:
        World(1.0, burst=0)
    assert "--burst" in refused.value.hint


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


def test_a_new_ceiling_is_obeyed_at_once():
    world = World(10.0)

    async def program():
        calls = asyncio.ensure_future(world.caller("a", calls=40))
        await world.clock.sleep(1.05)
        world.limiter.set_ceiling(50.0, "told to")
        await calls

    world.clock.run(program())
    assert world.times[12] < 1.05 + 0.5
    assert world.times[-1] - world.times[12] == pytest.approx(27 / 50, abs=0.04)
    assert world.events[0] == RateChanged(
        rate=50.0, previous=10.0, reason="told to", at=world.events[0].at
    )


def test_a_ceiling_of_none_holds_every_call_until_there_is_one():
    world = World(10.0)

    async def program():
        calls = asyncio.ensure_future(world.caller("a", calls=20))
        await world.clock.sleep(1.05)
        world.limiter.set_ceiling(0.0, "off")
        await world.clock.sleep(100.0)
        world.limiter.set_ceiling(10.0, "on")
        await calls

    world.clock.run(program())
    assert len([time for time in world.times if 1.05 < time < 101.05]) == 0
    changes = [(event.previous, event.rate, event.reason) for event in world.events]
    assert changes == [(10.0, 0.0, "off"), (0.0, 10.0, "on")]
    assert world.times[11] < 102.05


def test_a_pause_does_not_keep_a_search_from_going_on():
    world = World(None)

    async def program():
        world.limiter.set_ceiling(0.0, "off")
        await world.clock.sleep(1000.0)
        world.limiter.set_ceiling(20.0, "on")
        for _ in range(40):
            await world.limiter.take()
            sent_at = world.clock.monotonic()
            await world.clock.sleep(0.05)
            world.limiter.observe(ACCEPTED, sent_at=sent_at)

    world.clock.run(program())
    assert world.limiter.rate > 8.0


def test_a_rate_learned_before_is_told_as_the_run_begins():
    clock, events = VirtualClock(), []
    known = LearnedRate(lane="l", operation="o", rate=50.0, learned_at=clock.time() - 86_400.0)
    limiter = build_limiter(PaceSettings(rate=None), clock, events.append, known)
    (told,) = events
    assert told.rate == told.previous == limiter.rate
    assert told.reason == "learned on 2023-11-13"
