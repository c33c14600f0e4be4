"""One POST over the pool of aiohttp's session, without what that session does anew for each."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping
from typing import NamedTuple, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from provisioner.gateway.time_limit import TimeLimit

_INFORMATIONAL = range(100, 200)
_UPGRADE = 101


class Reply(NamedTuple):
    """An answer and all of its body; as much of `aiohttp.ClientResponse` as aiobotocore reads."""

    url: URL
    status: int
    headers: CIMultiDictProxy[str]
    raw_headers: tuple[tuple[bytes, bytes], ...]
    content: bytes

    async def read(self) -> bytes:
        """The body."""
        return self.content


class PooledPost:
    """Sends what differs in its body and in headers known by name.

    Connections, their pool, TLS, timeouts and parser are the session's, and so are the errors.
    Cookies, redirects, compression and long bodies are what it leaves out, and proxies: the
    connections of a session that uses one are of no use here.

    The session's time for reading bounds the whole answer, not the time between bytes, which a
    trickling one never exhausts; `patience`, in seconds, what it takes to be connected.

    Raises:
        ValueError: a header cannot be sent.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: URL,
        headers: CIMultiDict[str],
        *,
        varying: Container[str],
        patience: float,
    ) -> None:
        self._connector = cast("aiohttp.BaseConnector", session.connector)
        self._timeout = session.timeout
        self._connecting = TimeLimit(patience)
        self._answering = TimeLimit(session.timeout.sock_read)
        self._request = aiohttp.ClientRequest(
            "POST",
            url,
            headers=headers,
            skip_auto_headers=session.skip_auto_headers,
            loop=asyncio.get_running_loop(),
            session=session,
        )
        self._head = _head(self._request, varying)

    async def send(self, varying: Mapping[str, str], body: bytes) -> Reply:
        """One request; its answer. Raises aiohttp's errors, and TimeoutError."""
        message = (self._head % varying).encode() + body
        with self._connecting:
            connection = await self._connect()
        try:
            with self._answering:
                reply = await self._exchange(connection, message)
        except BaseException:
            connection.close()
            raise
        connection.release()
        return reply

    async def _connect(self) -> Connection:
        try:
            return await self._connector.connect(self._request, traces=[], timeout=self._timeout)
        except TimeoutError as error:
            told = f"Connection timeout to host {self._request.url}"
            raise aiohttp.ConnectionTimeoutError(told) from error

    async def _exchange(self, connection: Connection, message: bytes) -> Reply:
        protocol = cast("ResponseHandler", connection.protocol)
        protocol.set_response_params(read_until_eof=True, auto_decompress=False)
        cast("asyncio.Transport", connection.transport).write(message)
        try:
            head, payload = await protocol.read()
            while head.code in _INFORMATIONAL and head.code != _UPGRADE:
                head, payload = await protocol.read()
        except HttpProcessingError as error:
            raise aiohttp.ClientResponseError(
                self._request.request_info,
                (),
                status=error.code,
                message=error.message,
                headers=error.headers,
            ) from error
        content = payload.read_nowait() if payload.is_eof() else await payload.read()
        return Reply(self._request.url, head.code, head.headers, head.raw_headers, content)


def _head(request: aiohttp.ClientRequest, varying: Container[str]) -> str:
    """All before the body, as aiohttp writes it, with a place for each header that varies."""
    lines = [f"POST {request.url.raw_path_qs} HTTP/1.1".replace("%", "%%")]
    for name, value in request.headers.items():
        if not value.isprintable():
            raise ValueError(f"the header {name} cannot be sent")
        lines.append(f"{name}: " + (f"%({name})s" if name in varying else value.replace("%", "%%")))
    return "\r\n".join(lines) + "\r\n\r\n"
