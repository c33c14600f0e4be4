"""When too much goes wrong to go on: rules over a run's rows, pure.

    failed=50                  50 rows failed
    failed=5%,min=200          of at least 200 rows, 5 % failed
    failed=50; ambiguous=2%    either

A share without `min` needs 100 rows. Throttled calls never count, however often.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from provisioner.job import JobState, Outcome

_RULE = re.compile(r"(failed|ambiguous)=(\d{1,9}(?:\.\d{1,6})?)(%?)(?:,min=(\d{1,9}))?", re.ASCII)
_LEAST_ROWS = 100
_WHOLE = 100


class HaltRule(msgspec.Struct, frozen=True, kw_only=True):
    """A run halts once `threshold` rows are `what`, or that many of each hundred with `share`.

    It is not judged before `minimum` rows were decided.
    """

    what: JobState
    threshold: Decimal
    share: bool = False
    minimum: int = 0

    def __str__(self) -> str:
        least = f",min={self.minimum}" if self.minimum else ""
        return f"{self.what}={self.threshold:f}{'%' if self.share else ''}{least}"


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that calls of one run decided: all, those that failed, those left in doubt.

    A row that is sent again after it was in doubt is decided again.
    """

    decided: int = 0
    failed: int = 0
    ambiguous: int = 0

    def with_call(self, outcome: Outcome, state: JobState) -> Sample:
        """The sample after a call that took its row to `state`."""
        if outcome.throttled or state is JobState.PENDING:
            return self
        return Sample(
            decided=self.decided + 1,
            failed=self.failed + (state is JobState.FAILED),
            ambiguous=self.ambiguous + (state is JobState.AMBIGUOUS),
        )

    def of(self, what: JobState) -> int:
        """How many rows are what a rule counts."""
        return self.failed if what is JobState.FAILED else self.ambiguous


def parse_halt(text: str) -> tuple[HaltRule, ...]:
    """The rules of a text as above.

    Raises:
        ValueError: it is none, or a rule that could never hold or always does.
    """
    return tuple(_rule(each.strip()) for each in text.split(";"))


def breach(rules: Iterable[HaltRule], sample: Sample) -> str | None:
    """The first rule that a sample breaks, with the figure that breaks it; None without one."""
    broken = next((each for each in rules if _breaks(each, sample)), None)
    if broken is None:
        return None
    rows, decided = sample.of(broken.what), sample.decided
    part = f"{_WHOLE * rows / decided:.3g} %"
    return f"{broken}: {rows:,} of {decided:,} rows of this run are {broken.what} ({part})"


def _breaks(rule: HaltRule, sample: Sample) -> bool:
    rows, decided = sample.of(rule.what), sample.decided
    if decided < max(rule.minimum, 1):
        return False
    return rows * (_WHOLE if rule.share else 1) >= rule.threshold * (decided if rule.share else 1)


def _rule(text: str) -> HaltRule:
    found = _RULE.fullmatch(text.replace(" ", ""))
    if found is None:
        raise ValueError(f"{text!r} is not a rule; write it like failed=5%,min=200 or failed=50")
    what, threshold, per_cent, minimum = found.groups()
    rule = HaltRule(
        what=JobState(what),
        threshold=Decimal(threshold),
        share=bool(per_cent),
        minimum=int(minimum) if minimum else _LEAST_ROWS * bool(per_cent),
    )
    if not 0 < rule.threshold <= (_WHOLE if rule.share else Decimal("Infinity")):
        raise ValueError(f"{text!r} holds always or never; give more than 0, and at most 100%")
    return rule
