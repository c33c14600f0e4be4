"""No request leaves after its moment, however long its process was stopped on the way there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_NOT_AFTER: ContextVar[float] = ContextVar("not_after", default=math.inf)


class TooLateError(Exception):
    """The request's moment was over before it left; it was not sent."""


@contextmanager
def leaving_by(not_after: float) -> Iterator[None]:
    """What is sent within leaves by `not_after`, epoch seconds, or not at all."""
    token = _NOT_AFTER.set(not_after)
    try:
        yield
    finally:
        _NOT_AFTER.reset(token)


def refuse_late(now: Callable[[], float]) -> Callable[..., None]:
    """A handler of botocore's `before-send`, which comes after signing and before the first byte.

    So a signature is never younger than this look at the clock: whatever stops the process next,
    its request is refused for its age once `not_after` and a signature's life are over.
    """

    def check(**_: object) -> None:
        if now() > _NOT_AFTER.get():
            raise TooLateError

    return check
