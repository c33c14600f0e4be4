"""Many subscribers behind one sink; one that raises costs nobody anything."""

from __future__ import annotations

import logging

from provisioner.events import Event, EventSink

_LOGGER = logging.getLogger(__name__)


def each_of(*sinks: EventSink | None) -> EventSink:
    """A sink that passes each event to all, in order, and never raises.

    What a subscriber raises is logged once, to the standard logger of this module; it hears of
    later events all the same.
    """
    heard = [sink for sink in sinks if sink is not None]
    broken: set[int] = set()

    def emit(event: Event) -> None:
        for place, sink in enumerate(heard):
            try:
                sink(event)
            except Exception:
                if place not in broken:
                    broken.add(place)
                    _LOGGER.exception("a subscriber failed at %s", type(event).__name__)

    return emit
