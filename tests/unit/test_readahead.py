from __future__ import annotations

import threading
from collections.abc import Generator
from itertools import count

import pytest

from provisioner.readahead import ReadAhead


def numbers(upto: int) -> Generator[int]:
    yield from range(upto)


def test_gives_every_item_in_order() -> None:
    with ReadAhead(numbers(100), depth=2) as items:
        assert list(items) == list(range(100))


def test_reads_in_another_thread() -> None:
    def where() -> Generator[int]:
        yield threading.get_ident()

    with ReadAhead(where(), depth=1) as items:
        assert list(items) != [threading.get_ident()]


def test_raises_what_reading_raised_after_the_items_before_it() -> None:
    def broken() -> Generator[int]:
        yield 1
        raise ValueError("broken")

    received = []
    with pytest.raises(ValueError, match="broken"), ReadAhead(broken(), depth=1) as items:
        received.extend(items)
    assert received == [1]


def test_leaving_early_closes_the_iterator_and_ends_the_thread() -> None:
    closed = threading.Event()

    def endless() -> Generator[int]:
        try:
            yield from count()
        finally:
            closed.set()

    before = threading.active_count()
    with ReadAhead(endless(), depth=1) as items:
        assert next(items) == 0
    assert closed.is_set()
    assert threading.active_count() == before


def test_reads_no_more_than_its_depth_in_advance() -> None:
    read = []

    def noted() -> Generator[int]:
        for number in range(100):
            read.append(number)
            yield number

    with ReadAhead(noted(), depth=2) as items:
        for number in items:
            assert len(read) <= number + 5
