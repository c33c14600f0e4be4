"""The client's HTTP session, kept from sending a request a second time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TypeAlias

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession

StandIn: TypeAlias = Callable[..., Awaitable[object]]
"""Takes the session whose request it stands in for, then the request's arguments."""

_STAND_IN: ContextVar[StandIn | None] = ContextVar("stand_in", default=None)


@contextmanager
def standing_in(for_the_wire: StandIn) -> Iterator[None]:
    """What the client would send within goes to a stand-in; not a byte leaves."""
    token = _STAND_IN.set(for_the_wire)
    try:
        yield
    finally:
        _STAND_IN.reset(token)


class OneRequestSession(AIOHTTPSession):  # type: ignore[misc]  # aiobotocore is untyped
    """aiobotocore's own, without redirects.

    aiohttp would follow a 307 with the same POST to another place, signed headers included, and
    would report a failure of that second request as if the first had never been sent.
    """

    async def _get_session(self, proxy_url: str | None) -> _Unredirected:
        return _Unredirected(await super()._get_session(proxy_url))


class _Unredirected:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        stand_in = _STAND_IN.get()
        self.request = (
            partial(session.request, allow_redirects=False)
            if stand_in is None
            else partial(stand_in, session)
        )
