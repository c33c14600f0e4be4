import asyncio

import msgspec
import pytest

from provisioner.clock import VirtualClock
from provisioner.errors import ConfigurationError
from provisioner.events import RateChanged
from provisioner.pacing import build_limiter
from provisioner.record import LearnedRate
from provisioner.settings import PaceSettings
from tests.unit.limited_callers import ACCEPTED, THROTTLED, UNANSWERED, World


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
