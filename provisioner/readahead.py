"""An iterator that runs in a thread of its own, a little ahead of whoever reads from it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from queue import Queue
from threading import Event, Thread
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class _End(NamedTuple):
    """Nothing more will come; `error` is why, unless it is simply the end."""

    error: BaseException | None


class ReadAhead(Generic[T]):
    """Items in their order, at most `depth` of them read in advance; a context manager.

    What reading raises is raised here, in its place. Leaving closes the iterator, wherever it
    stands, and waits for the thread.
    """

    def __init__(self, items: Generator[T], depth: int) -> None:
        self._items = items
        self._queue: Queue[T | _End] = Queue(depth)
        self._left = Event()
        self._thread = Thread(target=self._read, name="read-ahead", daemon=True)

    def __enter__(self) -> Iterator[T]:
        self._thread.start()
        return self._received()

    def __exit__(self, *_: object) -> None:
        self._left.set()
        while self._thread.is_alive():
            if not self._queue.empty():
                self._queue.get_nowait()
            self._thread.join(0.001)

    def _received(self) -> Iterator[T]:
        while not isinstance(item := self._queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error

    def _read(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                self._queue.put(item)
                if self._left.is_set():
                    break
            self._items.close()
        except BaseException as raised:  # noqa: BLE001  # whatever it is, the reader must hear
            error = raised
        if not self._left.is_set():
            self._queue.put(_End(error))
