"""Plain answers, read in one step: a whole 201 whose length is told. aiohttp reads the others."""

from __future__ import annotations

import re
from asyncio import Future, Protocol, get_running_loop
from typing import NamedTuple

from aiohttp.client_proto import ResponseHandler
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

_LONGEST_HEAD = 8_000
_PLAIN = re.compile(
    rb"HTTP/1\.1 201 [ -~]*\r\n(?:(?:"
    rb"(?(1)(?!)|(?i:content-length): (\d{1,5}))|"
    rb"(?(2)(?!)|(?i:x-amzn-requestid): ([!-~]+))|"
    rb"(?i:connection: keep-alive)|"
    rb"(?!(?i:content-length|x-amzn?-request-?id|(?:proxy-)?connection|transfer-encoding|upgrade):)"
    rb"[A-Za-z0-9-]+: [!-~](?:[ -~]*[!-~])?"
    rb")\r\n){1,100}\r\n"
)
"""Nothing in it makes more of the body than its length does, or ends the connection with it."""


class PlainReply(NamedTuple):
    """What `Reply` is, of a plain answer; its headers are looked at when somebody asks for them."""

    url: URL
    head: bytes
    content: bytes
    request_id: str | None
    status: int = 201

    @property
    def raw_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Names and values as they came."""
        lines = self.head.rstrip().split(b"\r\n")[1:]
        return tuple((name, value) for name, _, value in (line.partition(b": ") for line in lines))

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The same as text."""
        pairs = [(name.decode(), value.decode()) for name, value in self.raw_headers]
        return CIMultiDictProxy(CIMultiDict(pairs))

    async def read(self) -> bytes:
        """The body."""
        return self.content


class PlainReader(Protocol):
    """Stands before aiohttp's handler of a connection and passes on all that nobody awaits here."""

    def __init__(self, handler: ResponseHandler) -> None:
        self._handler = handler
        self._waiter: Future[PlainReply | None] | None = None

    def answer(self, url: URL) -> Future[PlainReply | None]:
        """The next answer, from `url`, if it is plain; None once the handler has it to read."""
        self._url = url
        self._pieces: list[bytes] = []
        self._waiter = waiter = get_running_loop().create_future()
        return waiter

    def data_received(self, data: bytes) -> None:
        """As the transport calls it."""
        if self._waiter is None:
            self._handler.data_received(data)
            return
        self._pieces.append(data)
        data = b"".join(self._pieces)
        found = _PLAIN.match(data, 0, _LONGEST_HEAD)
        missing = found.end() + int(found[1]) - len(data) if found and found[1] else -1
        if missing < 0:
            self._leave()
        elif found and missing == 0:
            request_id = found[2].decode() if found[2] else None
            head, content = data[: found.end()], data[found.end() :]
            self._tell(PlainReply(self._url, head, content, request_id))

    def eof_received(self) -> None:
        """As the transport calls it."""
        self._leave()
        self._handler.eof_received()

    def connection_lost(self, error: BaseException | None) -> None:
        """As the transport calls it."""
        self._leave()
        self._handler.connection_lost(error)

    def pause_writing(self) -> None:
        """As the transport calls it."""
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        """As the transport calls it."""
        self._handler.resume_writing()

    def _leave(self) -> None:
        """To the handler, from the answer's first byte, as it came."""
        if self._waiter is None:
            return
        self._tell(None)
        self._handler.set_response_params(read_until_eof=True, auto_decompress=False)
        for piece in self._pieces:
            self._handler.data_received(piece)

    def _tell(self, reply: PlainReply | None) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(reply)
