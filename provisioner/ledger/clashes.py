"""A row whose identity the campaign has already: what becomes of it. Pure."""

from __future__ import annotations

from enum import Enum, auto

import msgspec

from provisioner.job import JobState


class Known(msgspec.Struct, frozen=True):
    """A job that the campaign has; `request` is its JSON, `attempts` those that were made."""

    id: int
    number: int
    recording: int
    request: str
    attempts: int
    state: JobState


class Clash(Enum):
    """What a row is to the job that has its identity."""

    SEEN_AGAIN = auto()
    CORRECTED = auto()
    DUPLICATE = auto()
    REUSED = auto()


def clash(request: str, known: Known, recording: int) -> Clash:
    """The first row of a file counts; an earlier file's gives way only while nothing was sent."""
    same = request == known.request
    if known.recording == recording:
        return Clash.DUPLICATE if same else Clash.REUSED
    if same:
        return Clash.SEEN_AGAIN
    unsent = known.state is JobState.PENDING and known.attempts == 0
    return Clash.CORRECTED if unsent else Clash.REUSED
