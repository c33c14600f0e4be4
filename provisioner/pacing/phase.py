"""The phases of learning a rate."""

from __future__ import annotations

from enum import Enum, auto


class Phase(Enum):
    """What the current rate is for."""

    SEARCH = auto()
    MEASURE = auto()
    HOLD = auto()
    PROBE = auto()
