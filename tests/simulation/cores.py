"""A process for each core, for as many nights as are wanted."""

from __future__ import annotations

import gc
import os
from multiprocessing import get_context
from multiprocessing.pool import Pool


def every_core() -> Pool:
    """Workers that seldom look for garbage, of which a night leaves little: that took a fifth."""
    return get_context("fork").Pool(os.cpu_count(), initializer=_collect_rarely)


def _collect_rarely() -> None:
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)
