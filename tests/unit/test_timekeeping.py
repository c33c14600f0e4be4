from __future__ import annotations

from datetime import datetime

import anyio
import pytest

from provisioner.clock import VirtualClock
from provisioner.errors import ConfigurationError
from provisioner.events import Event, RateChanged
from provisioner.pacing import build_limiter
from provisioner.settings import PaceSettings, Settings
from provisioner.stopping import Stop
from provisioner.timekeeping import Timekeeper
from provisioner.timetable import parse_timetable

TABLE = parse_timetable("22:00 20/s, 06:00 2/s, 07:00 off")
HOUR = 3600.0


def epoch(text: str) -> float:
    return datetime.fromisoformat(f"{text}+01:00").timestamp()


class Night:
    def __init__(self, start: str, *, rate: float | None = None, until: str | None = None) -> None:
        self.clock, self.events = VirtualClock(epoch=epoch(start)), list[Event]()
        self.stop = Stop(anyio.Event())
        pace = PaceSettings(rate=rate, timetable=TABLE)
        self.limiter = build_limiter(pace, self.clock, self.events.append)
        settings = Settings(
            pace=pace, time_zone="Europe/Berlin", deadline=epoch(until) if until else None
        )
        self.timekeeper = Timekeeper(settings, self.limiter, self.stop, self.clock)

    def pass_time(self, seconds: float) -> None:
        async def program() -> None:
            with anyio.move_on_after(seconds):
                await self.timekeeper.keep()

        self.clock.run(program())

    @property
    def changes(self) -> list[tuple[float, float]]:
        return [
            (event.rate, event.at - self.clock.time() + self.clock.now)
            for event in self.events
            if isinstance(event, RateChanged)
        ]


def test_the_rate_changes_within_a_second_of_its_time() -> None:
    night = Night("2026-11-24 05:00", rate=50)
    night.pass_time(18 * HOUR)
    assert [rate for rate, _ in night.changes] == [20.0, 2.0, 0.0, 20.0]
    assert [at for _, at in night.changes] == pytest.approx(
        [0.0, HOUR, 2 * HOUR, 17 * HOUR], abs=1.0
    )


def test_the_rate_asked_for_stays_a_ceiling() -> None:
    night = Night("2026-11-24 05:00", rate=5)
    night.pass_time(HOUR + 1)
    assert [rate for rate, _ in night.changes] == [2.0]


def test_under_the_timetable_the_rate_is_learned() -> None:
    night = Night("2026-11-24 06:30")
    assert night.limiter.rate == 2.0
    assert night.limiter.learned is None


def test_a_pause_tells_when_it_is_over() -> None:
    night = Night("2026-11-24 21:00", rate=50)
    (event,) = night.events
    assert isinstance(event, RateChanged)
    assert event.reason == "timetable, on again at 2026-11-24 22:00:00+01:00"


def test_off_no_call_leaves_until_it_is_on() -> None:
    night = Night("2026-11-24 21:00", rate=50)
    assert night.limiter.rate == 0.0

    async def program() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(night.timekeeper.keep)
            await night.limiter.take()
            tasks.cancel_scope.cancel()

    night.clock.run(program())
    assert night.clock.now == pytest.approx(HOUR, abs=1.0)
    assert not night.stop.is_set()


def test_an_operator_s_rate_counts_until_the_next_change() -> None:
    night = Night("2026-11-24 05:00", rate=50)
    night.limiter.set_ceiling(7.0, "operator")
    night.pass_time(HOUR - 1)
    assert night.limiter.rate == 7.0
    night.pass_time(2)
    assert night.limiter.rate == 2.0


@pytest.mark.parametrize(
    ("start", "until", "stopped"),
    [
        ("2026-11-24 08:00", "2026-11-24 20:00", True),
        ("2026-11-24 08:00", "2026-11-24 22:00", True),
        ("2026-11-24 08:00", "2026-11-24 23:00", False),
        ("2026-11-24 05:00", "2026-11-24 06:30", False),
    ],
)
def test_a_run_that_would_wait_beyond_its_deadline_is_stopped(
    start: str, until: str, *, stopped: bool
) -> None:
    night = Night(start, until=until)
    assert night.stop.is_set() == stopped
    assert ("off until the deadline" in night.stop.reason) == stopped


def test_a_run_whose_timetable_goes_off_for_good_is_stopped_then() -> None:
    night = Night("2026-11-24 06:30", until="2026-11-24 12:00")
    night.pass_time(HOUR / 2 - 2)
    assert not night.stop.is_set()
    night.pass_time(4)
    assert night.stop.is_set()


def test_without_a_timetable_there_is_nothing_to_keep() -> None:
    clock, events = VirtualClock(), list[Event]()
    limiter = build_limiter(PaceSettings(rate=5), clock, events.append)
    timekeeper = Timekeeper(Settings(), limiter, Stop(anyio.Event()), clock)
    clock.run(timekeeper.keep())
    assert (clock.now, limiter.rate, events) == (0.0, 5.0, [])


def test_a_zone_that_nobody_knows_is_refused() -> None:
    clock = VirtualClock()
    limiter = build_limiter(PaceSettings(rate=5), clock, lambda _: None)
    with pytest.raises(ConfigurationError, match="Nowhere"):
        Timekeeper(Settings(time_zone="Nowhere"), limiter, Stop(anyio.Event()), clock)
