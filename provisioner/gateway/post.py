"""One POST over the pool of aiohttp's session, without what that session does anew for each."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping
from functools import cached_property
from typing import NamedTuple, TypeAlias, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from provisioner.gateway.plain import PlainReader, PlainReply
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

    @property
    def request_id(self) -> str | None:
        """The service's name for the request."""
        return self.headers.get("x-amzn-requestid", self.headers.get("x-amz-request-id"))

    async def read(self) -> bytes:
        """The body."""
        return self.content


Answer: TypeAlias = Reply | PlainReply


class _Request(aiohttp.ClientRequest):
    """One whose place in the pool is found once."""

    @cached_property
    def connection_key(self) -> ConnectionKey:
        """As aiohttp has it."""
        return super().connection_key


class PooledPost:
    """Sends what differs in its body and in headers known by name.

    Connections, their pool, TLS and timeouts are the session's, and so are the errors and, of what
    is no plain 201, the parser.
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
        self._connecting = aiohttp.ClientTimeout(
            connect=patience, sock_connect=session.timeout.sock_connect
        )
        self._answering = TimeLimit(session.timeout.sock_read)
        self._request = _Request(
            "POST",
            url,
            headers=headers,
            skip_auto_headers=session.skip_auto_headers,
            loop=asyncio.get_running_loop(),
            session=session,
        )
        self._head, self._places = _head(self._request, varying)

    async def send(self, varying: Mapping[str, str], body: bytes) -> Answer:
        """One request; its answer. Raises aiohttp's errors, and TimeoutError."""
        for name, value in varying.items():
            self._head[self._places[name]] = value
        message = "".join(self._head).encode() + body
        connection = await self._connect()
        try:
            reply = await self._exchange(connection, message)
        except BaseException:
            connection.close()
            raise
        connection.release()
        return reply

    async def _connect(self) -> Connection:
        try:
            return await self._connector.connect(self._request, traces=[], timeout=self._connecting)
        except TimeoutError as error:
            told = f"Connection timeout to host {self._request.url}"
            raise aiohttp.ConnectionTimeoutError(told) from error

    async def _exchange(self, connection: Connection, message: bytes) -> Answer:
        handler = cast("ResponseHandler", connection.protocol)
        transport = cast("asyncio.Transport", handler.transport)
        reader = transport.get_protocol()
        if not isinstance(reader, PlainReader):
            reader = PlainReader(handler)
            transport.set_protocol(reader)
        answer = reader.answer(self._request.url)
        until = self._answering.begin(answer)
        try:
            transport.write(message)
            reply = await answer
        finally:
            self._answering.end(answer)
        if reply is not None:
            return reply
        async with asyncio.timeout_at(until):
            return await self._read(handler)

    async def _read(self, handler: ResponseHandler) -> Reply:
        """The answer that aiohttp's handler has, or will have."""
        try:
            head, payload = await handler.read()
            while head.code in _INFORMATIONAL and head.code != _UPGRADE:
                head, payload = await handler.read()
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


def _head(
    request: aiohttp.ClientRequest, varying: Container[str]
) -> tuple[list[str], dict[str, int]]:
    """All before the body, as aiohttp writes it; where in it the headers are that vary."""
    parts: list[str] = []
    places: dict[str, int] = {}
    text = f"POST {request.url.raw_path_qs} HTTP/1.1"
    for name, value in request.headers.items():
        if not value.isprintable():
            raise ValueError(f"the header {name} cannot be sent")
        text += f"\r\n{name}: "
        if name in varying:
            places[name] = len(parts) + 1
            parts += [text, value]
            text = ""
        else:
            text += value
    return [*parts, text + "\r\n\r\n"], places
