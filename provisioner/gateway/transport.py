"""The client's HTTP session, kept from sending a request a second time."""

from __future__ import annotations

from functools import partial

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession


class OneRequestSession(AIOHTTPSession):  # type: ignore[misc]  # aiobotocore is untyped
    """aiobotocore's own, without redirects.

    aiohttp would follow a 307 with the same POST to another place, signed headers included, and
    would report a failure of that second request as if the first had never been sent.
    """

    async def _get_session(self, proxy_url: str | None) -> _Unredirected:
        return _Unredirected(await super()._get_session(proxy_url))


class _Unredirected:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.request = partial(session.request, allow_redirects=False)
