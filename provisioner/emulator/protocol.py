"""HTTP/1.1 on one connection: requests in order in, replies in order out."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import TypeAlias

import httptools
import msgspec

from provisioner.emulator.emulator import Delivery

HEAD_MAXIMUM = 32 * 1024
BODY_MAXIMUM = 256 * 1024
WAITING_MAXIMUM = 64

_LENGTHS_WANTED = {len("authorization"), len("x-amz-date"), len("expect")}
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


class HttpRequest(msgspec.Struct, kw_only=True, gc=False):
    """What a face looks at; `authorization` and `date` (X-Amz-Date) are empty when missing."""

    method: bytes
    target: bytes
    authorization: bytes
    date: bytes
    body: bytes
    keep_alive: bool


class HttpResponse(msgspec.Struct, kw_only=True, gc=False):
    """What to send and how.

    `headers` are complete lines. A `body` of parts is streamed until the connection closes.
    `delay` and `hang_seconds` are seconds; a hang of None lasts until the caller leaves.
    """

    status: int
    headers: bytes = b""
    body: bytes | Iterator[bytes] = b""
    delivery: Delivery = Delivery.WHOLE
    delay: float = 0.0
    hang_seconds: float | None = None


Application: TypeAlias = Callable[[HttpRequest], HttpResponse]


class _TooLargeError(Exception):
    """A head or a body beyond its bound; `status` says which."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class HttpProtocol(asyncio.Protocol):
    """One connection. A reply that takes its time holds back those behind it."""

    _transport: asyncio.Transport

    def __init__(self, application: Application, connections: set[HttpProtocol]) -> None:
        self.gone = asyncio.Event()
        self._application = application
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[HttpRequest | HTTPStatus] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._replies: list[bytes] = []
        self._parts: Iterator[bytes] | None = None
        self._busy = False
        self._writable = True
        self._paused = False
        self._deaf = False
        self._silence = 0
        self.on_message_begin()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the server's connections."""
        self._transport = transport  # type: ignore[assignment] # a stream server gives no other
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Leave the server's connections, with everything that was still to be said."""
        self._connections.discard(self)
        self.gone.set()
        self._waiting.clear()
        self._parts = None
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Read what came and answer what is complete."""
        if self._deaf:
            return
        self._silence += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._deaf = True  # the request itself is answered, another protocol is not spoken
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, _TooLargeError):
                self._give_up(cause.status)
            else:
                self._give_up(HTTPStatus.BAD_REQUEST)
        if self._silence > HEAD_MAXIMUM and not self._deaf:
            self._give_up(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        self._run()
        if len(self._waiting) > WAITING_MAXIMUM and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """The caller reads too slowly: answer nothing more for now."""
        self._writable = False

    def resume_writing(self) -> None:
        """The caller has caught up."""
        self._writable = True
        self._pump()
        self._run()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head_size = 0
        self._body_size = 0
        self._target = b""
        self._authorization = b""
        self._date = b""
        self._chunks: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._target += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._count_head(len(name) + len(value))
        if len(name) not in _LENGTHS_WANTED:
            return
        lowered = name.lower()
        if lowered == b"authorization":
            self._authorization = value
        elif lowered == b"x-amz-date":
            self._date = value
        elif lowered == b"expect" and value.lower() == b"100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._silence = 0
        self._body_size += len(body)
        if self._body_size > BODY_MAXIMUM:
            raise _TooLargeError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._silence = 0
        request = HttpRequest(
            method=self._parser.get_method(),
            target=self._target,
            authorization=self._authorization,
            date=self._date,
            body=b"".join(self._chunks),
            keep_alive=self._parser.should_keep_alive() and not self._parser.should_upgrade(),
        )
        self._waiting.append(request)

    def _count_head(self, size: int) -> None:
        self._silence = 0
        self._head_size += size
        if self._head_size > HEAD_MAXIMUM:
            raise _TooLargeError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _give_up(self, status: HTTPStatus) -> None:
        """Answer what was understood, then say why no more is, and close."""
        self._deaf = True
        self._waiting.append(status)

    def _run(self) -> None:
        """Answer requests until one takes its time."""
        while self._waiting and not self._busy and self._writable:
            self._serve(self._waiting.popleft())
        self._flush()
        if self._paused and not self._waiting and not self._deaf:
            self._paused = False
            self._transport.resume_reading()

    def _serve(self, item: HttpRequest | HTTPStatus) -> None:
        if isinstance(item, HTTPStatus):
            self._send(None, HttpResponse(status=item))
            return
        response = self._application(item)
        if not response.delay:
            self._send(item, response)
            return
        self._busy = True
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(response.delay, self._send_late, item, response)

    def _send_late(self, request: HttpRequest, response: HttpResponse) -> None:
        self._busy = False
        self._send(request, response)
        self._run()

    def _send(self, request: HttpRequest | None, response: HttpResponse) -> None:
        match response.delivery:
            case Delivery.CLOSED:
                self._close()
            case Delivery.RESET:
                self._reset()
            case Delivery.NEVER:
                self._hang(response.hang_seconds)
            case _:
                self._write(request, response)

    def _write(self, request: HttpRequest | None, response: HttpResponse) -> None:
        body = response.body
        keep_alive = request is not None and request.keep_alive and isinstance(body, bytes)
        head = [_STATUS_LINES[response.status], response.headers]
        if not keep_alive:
            head.append(b"Connection: close\r\n")
        if not isinstance(body, bytes):
            self._busy = True
            self._parts = body
            body = b""
        elif response.status != HTTPStatus.NO_CONTENT:
            head.append(b"Content-Length: %d\r\n" % len(body))
        if request is not None and request.method == b"HEAD":
            body = b""
        self._replies.append(b"%b\r\n%b" % (b"".join(head), body))
        if self._parts is not None:
            self._pump()
        elif not keep_alive:
            self._close()

    def _flush(self) -> None:
        """One write for the replies to everything that came at once."""
        if self._replies:
            self._transport.write(b"".join(self._replies))
            self._replies.clear()

    def _pump(self) -> None:
        """Stream as fast as the caller reads."""
        self._flush()
        while self._parts is not None and self._writable:
            part = next(self._parts, None)
            if part is None:
                self._parts = None
                self._close()
            else:
                self._transport.write(part)

    def _hang(self, seconds: float | None) -> None:
        self._busy = True
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._close)

    def _reset(self) -> None:
        self._flush()
        connection: socket.socket = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._deaf = self._busy = True
        self._transport.abort()

    def _close(self) -> None:
        self._deaf = self._busy = True
        self._waiting.clear()
        self._flush()
        self._transport.close()
