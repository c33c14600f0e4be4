"""A pace that finds a quota nobody has told: search, measure, hold, probe. Pure."""

from __future__ import annotations

from provisioner import defaults
from provisioner.pacing.answers import Answers
from provisioner.pacing.fence import Fence, Post
from provisioner.pacing.measure import Measure
from provisioner.pacing.phase import Phase
from provisioner.pacing.probe import (
    GENTLE_STEP,
    LARGEST_STEP,
    LEAST_STEP,
    Probe,
    first_step,
    largest_step,
)
from provisioner.pacing.search import Search
from provisioner.pacing.spell import Spell

START = 2.0
"""Calls/s of a first call ever: what the sibling operations' smallest quotas allow."""
BELOW = 0.003
"""Of the quota: what is left unused while its rate is held."""
SAVED = 5.0
"""Seconds of its quota that a service may save."""
FLURRY = 2.2
"""Throttles of one flight that show the service's bucket to be empty."""
MOVED = 0.05
"""The rise of a quota that shows it to have moved."""
WIDE = 0.08
"""The gap between allowed and refused that is looked into at once."""
SMALL_FLIGHT = 5.0
"""Calls on their way at once that tell nothing of a quota yet."""


class LearningPace:
    """Starts at 2/s, or at what is `known`, and keeps just below the quota; never above a ceiling.

    It searches by doubling, until throttled; measures what is let through; then holds 0.3 % below
    that for a spell, and probes above it. A refused probe costs about one throttle, and spells are
    as long as makes that 4 in 1,000 calls, 15 of a shared quota, or 5 in 10,000 of one that was
    known and has not moved since. A step of a probe is proved by calls let through beyond what a
    bucket may have saved; the next has up to twice the excess. What the first probe after a spell
    finds is proved by another before it is believed: the bucket is empty then.

    Every throttle is also a post of a fence: see `Fence`. Too many at a held rate mean that the
    quota moved, or is shared: it is measured again. Calls that were not sent at the rate, for want
    of connections or of work, allow nothing.

    `known` is believed; `start` is only a place to search from. All rates are in calls/s.
    """

    def __init__(self, *, now: float, known: float | None = None, start: float = START) -> None:
        self._ceiling = float("inf")
        self._answers, self._fence = Answers(), Fence()
        self._quota = known or 0.0
        self._found = 0.0
        self._is_known = known is not None
        self._spell = Spell(is_known=bool(known))
        # Calls the service may let through beyond its quota; below 0 while probing: has let.
        self._saved = SAVED * self._quota
        self._search = Search(now)
        self._measure = Measure(now, start, Post(now, 0), wild=False)
        self._probe = Probe(now, LEAST_STEP, is_first=True, is_regular=True)
        self._next_step = 2 * LEAST_STEP if known else GENTLE_STEP
        self._is_landed = False
        self._is_full = self._is_eased = True
        self._go(now, _held(known) if known else start, Phase.HOLD if known else Phase.SEARCH)

    @property
    def learned(self) -> float | None:
        """What the quota is believed to allow; until it is measured, what a search has proved."""
        if self._is_known:
            return _held(self._quota)
        found = max(self._found, self._quota * (1 + self._probe.proved))
        return _held(found) if self._found else None

    def set_ceiling(self, now: float, ceiling: float) -> None:  # noqa: ARG002 - the protocol's
        """As `Pace.set_ceiling`."""
        self._ceiling = ceiling
        self.rate = min(self._wanted, ceiling)

    def observe(self, now: float, *, sent_at: float, throttled: bool) -> float:
        """As `Pace.observe`."""
        seconds = self._answers.add(now, sent_at, self.rate, throttled=throttled)
        self._fence.count(throttled=throttled)
        self._spell.count(throttled=throttled)
        post = Post((now + sent_at) / 2, self._answers.accepted)
        if not throttled:
            self._save(seconds)
        elif self._phase is Phase.MEASURE:
            self._measure.throttle(post)
        if sent_at >= self._since or (throttled and self._phase is Phase.SEARCH):
            left_out = self._decide(now, sent_at, seconds, post, throttled=throttled)
        else:
            left_out = self._land(throttled=throttled)
        if left_out:
            self._fence.leave_out(left_out)
        return left_out

    def _save(self, seconds: float) -> None:
        saved = self._saved + self._quota * seconds - 1
        self._saved = min(saved, max(self._saved, SAVED * self._quota))
        if self._phase is not Phase.PROBE:
            self._saved = max(self._saved, 0.0)

    def _land(self, *, throttled: bool) -> float:
        """An answer to a call sent before the last decision: of its flight."""
        if not throttled or self._phase is not Phase.HOLD:
            return 0.0
        self._spell.charge()
        if self._is_eased or self._answers.flurry < FLURRY:
            return 0.0
        self._is_eased = True
        return self._ease(0.5)

    def _decide(
        self, now: float, sent_at: float, seconds: float, post: Post, *, throttled: bool
    ) -> float:
        if not self._is_landed:
            self._is_landed = True
            self._spell.land()
            self._answers.forget_throttles(throttled)
        if self._phase is Phase.SEARCH:
            self._seek(now, sent_at, post, throttled=throttled)
        elif self._phase is Phase.MEASURE:
            return self._weigh(now, post, throttled=throttled)
        elif throttled:
            return self._yield(now, post) if self._phase is Phase.HOLD else self._meet(now, post)
        elif self._phase is Phase.HOLD:
            self._wait(now, seconds)
        else:
            self._climb(now)
        return 0.0

    def _seek(self, now: float, sent_at: float, post: Post, *, throttled: bool) -> None:
        search, trip = self._search, self._answers.trip
        if throttled:
            if search.is_over(now, self.rate, trip):
                self._found = self._wanted / 2
                few = 4 if self.rate * trip < SMALL_FLIGHT else 16
                self._begin_measure(now, post, self._wanted / few, wild=True)
        elif search.is_proved(now, sent_at, self.rate, trip) and self.rate < self._ceiling:
            self._search = Search(now)
            self._go(now, 2 * self._wanted, Phase.SEARCH)

    def _begin_measure(self, now: float, post: Post, rate: float, *, wild: bool = False) -> None:
        self._measure = Measure(now, self.rate, post, wild=wild)
        self._go(now, rate, Phase.MEASURE)

    def _weigh(self, now: float, post: Post, *, throttled: bool) -> float:
        measure = self._measure
        measure.add(throttled=throttled)
        if (landed := measure.land(now, post, self._wanted)) is not None:
            self._set(landed)
        elif (relief := measure.relief(now, post, self.rate)) is not None:
            self._go(now, relief, Phase.MEASURE)
        elif measure.is_done(now, post, self.rate):
            return self._take(now, measure)
        return 0.0

    def _take(self, now: float, measure: Measure) -> float:
        self._saved, self._is_full = 0.0, False
        quota = measure.quota(self.rate)
        if quota is None:
            self._believe(self.rate)
            self._begin_probe(now, LARGEST_STEP)
            return 0.0
        self._believe(quota, measure.last)
        self._is_known = True
        self._next_step = GENTLE_STEP
        return self._hold(now)

    def _hold(self, now: float) -> float:
        left_out = self._ease(1.0)
        self._is_eased = True
        self._spell.begin()
        self._go(now, _held(self._quota), Phase.HOLD)
        return left_out

    def _wait(self, now: float, seconds: float) -> None:
        if self._spell.is_over(seconds):
            self._begin_probe(now)

    def _yield(self, now: float, post: Post) -> float:
        """To a throttle at the held rate."""
        answers = self._answers
        if answers.recent >= self._spell.sudden + 0.08 * answers.memory(self.rate):
            self._spell.fall()
            self._begin_measure(now, post, self._wanted)
            return 0.0
        if self._fence.stands:
            self._correct(post._replace(saved=self._saved))
        self._is_eased = answers.flurry >= FLURRY
        self._set(_held(self._quota))
        self._since = now
        if not self._is_eased:
            return 0.0
        self._saved = 0.0
        return self._ease(0.5)

    def _correct(self, post: Post) -> None:
        self._quota = self._fence.correct(
            self._quota,
            post,
            held=_held(self._quota),
            bunched=self._answers.bunched(self.rate),
            noise=self._spell.noise,
        )

    def _begin_probe(self, now: float, again: float | None = None) -> None:
        """After a spell; or once more, `again` at this step."""
        step = again if again is not None else self._first_step()
        self._spell.probe()
        self._probe = Probe(now, step, is_first=again is None, is_regular=again is None)
        self._step_up(now)

    def _first_step(self) -> float:
        if self._is_full:
            return largest_step(self._flight)
        doubt = self._answers.bunched(self.rate) + max(self._saved, 0.0)
        return first_step(self._next_step, self._quota, doubt, max(self._saved, 0.0), self._flight)

    def _step_up(self, now: float) -> None:
        self._saved = max(self._saved, 0.0)
        self._go(now, self._quota * (1 + self._probe.step), Phase.PROBE)

    def _climb(self, now: float) -> None:
        if self._probe.is_proved(now, -self._saved, self._answers.bunched(self.rate), self._flight):
            self._is_full = False
            self._step_up(now)

    def _meet(self, now: float, post: Post) -> float:
        """A throttle at a step."""
        probe = self._probe
        if not probe.is_refused(self._flight, self._answers.flurry):
            return 0.0
        typical = probe.is_regular and not probe.proved and not self._is_full
        self._spell.refuse(is_typical=typical)
        self._saved = 0.0
        if not probe.proved:
            return self._give_up(now, post)
        if probe.is_first:
            self._correct(post)
            return self._probe_again(now, probe.proved / 4)
        return self._rise(now, post)

    def _give_up(self, now: float, post: Post) -> float:
        self._is_known = True
        self._correct(post)
        was_full, self._is_full = self._is_full, False
        if self._probe.step >= LARGEST_STEP / 2 and not was_full:
            self._next_step = self._probe.step / 4
            return self._probe_again(now, self._next_step)
        self._next_step = max(LEAST_STEP, self._next_step / 2)
        return self._hold(now)

    def _rise(self, now: float, post: Post) -> float:
        """To what was proved."""
        probe = self._probe
        if probe.proved > MOVED:
            self._spell.rise()
        self._believe(self._quota * (1 + probe.proved), post)
        self._next_step = max(LEAST_STEP, probe.gap / 4)
        return self._probe_again(now, probe.gap / 4) if probe.gap > WIDE else self._hold(now)

    def _probe_again(self, now: float, step: float) -> float:
        left_out = self._ease(1.0)
        self._begin_probe(now, step)
        return left_out

    def _believe(self, quota: float, post: Post | None = None) -> None:
        self._quota = quota
        self._fence.plant(post)

    @property
    def _flight(self) -> float:
        """Calls of the quota on their way at once."""
        return self._quota * self._answers.trip

    def _ease(self, share: float) -> float:
        """Calls to leave out, so that the service's bucket holds what the network bunches."""
        return 0.5 + share * self._answers.bunched(self.rate)

    def _set(self, rate: float) -> None:
        self._wanted = max(rate, defaults.SLOWEST)
        self.rate = min(self._wanted, self._ceiling)

    def _go(self, now: float, rate: float, phase: Phase) -> None:
        self._set(rate)
        self._phase = phase
        self._since = now
        self._is_landed = False


def _held(quota: float) -> float:
    """What is used of it."""
    return quota * (1 - BELOW)
