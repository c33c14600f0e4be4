"""What a subscriber raises stays its own affair."""

from __future__ import annotations

import logging

import pytest

from provisioner.events import DrainStarted, Event
from provisioner.subscribers import each_of

FACT = DrainStarted(reason="told", in_flight=0, at=0.0)


def broken(_: Event) -> None:
    raise ZeroDivisionError


def test_every_subscriber_hears_every_event_whatever_another_raises() -> None:
    heard: list[Event] = []
    emit = each_of(heard.append, broken, heard.append)
    emit(FACT)
    emit(FACT)
    assert heard == [FACT] * 4


def test_a_subscriber_that_keeps_raising_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    emit = each_of(broken)
    with caplog.at_level(logging.ERROR):
        emit(FACT)
        emit(FACT)
    assert [record.getMessage() for record in caplog.records] == [
        "a subscriber failed at DrainStarted"
    ]


def test_each_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    each_of(broken, broken)(FACT)
    assert len(caplog.records) == 2
