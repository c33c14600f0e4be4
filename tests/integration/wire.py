"""A server that behaves as it is told at the wire, and the real client to it."""

import asyncio
import math
import socket
import struct
from contextlib import asynccontextmanager, suppress
from random import Random

import msgspec

from provisioner.clock import SystemClock
from provisioner.gateway import BackoffPolicy, open_gateway
from provisioner.session import SessionRequest
from provisioner.settings import ServiceSettings

SDK_PATH = "lean"
REQUEST = SessionRequest(
    voice_connector_id="abcdef1ghij2klmno3pqr4",
    participants=("+14155550100", "+14155550101"),
    capabilities=("Voice", "SMS"),
)
SESSION = {
    "ProxySessionId": "session-1",
    "Status": "Open",
    "ExpiryMinutes": 60,
    "Capabilities": ["SMS", "Voice"],
    "CreatedTimestamp": "2024-05-06T07:08:09.123Z",
    "Participants": [{"PhoneNumber": "+14155550100", "ProxyPhoneNumber": "+12065550199"}],
}


def reply(status, body=b"", **headers):
    body = body if isinstance(body, bytes) else msgspec.json.encode(body)
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}", *lines])
    return head.encode("latin-1") + b"\r\n\r\n" + body


def error(status, code, **headers):
    return reply(status, {"Code": code, "Message": "why"}, x_amzn_errortype=code, **headers)


def sends(data):
    async def behave(writer):
        writer.write(data)
        await writer.drain()

    return behave


def breaks_off(data):
    async def behave(writer):
        writer.write(data)
        await writer.drain()
        writer.close()

    return behave


async def closes(writer):
    writer.close()


async def resets(writer):
    linger_none = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_none)
    writer.transport.abort()


async def hangs(_writer):
    await asyncio.Event().wait()


async def trickles(writer):
    writer.write(b"HTTP/1.1 201 Created\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


class Wire:
    """A server that reads whole requests, counts them, and answers each the same way."""

    def __init__(self, behave):
        self.behave = behave
        self.requests = []
        self.connections = set()

    async def serve(self, reader, writer):
        self.connections.add(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
                await reader.readexactly(int(length or 0))
                self.requests.append(head)
                await self.behave(writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def wire(behave, *, tls=None):
    served = Wire(behave if callable(behave) else sends(behave))
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0, ssl=tls)
    scheme = "https" if tls else "http"
    served.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield served
    finally:
        server.close()
        for each in served.connections:
            each.cancel()
        await asyncio.gather(*served.connections, return_exceptions=True)
        await server.wait_closed()


@asynccontextmanager
async def gateway_to(url, *, timeout=5.0, clock=None, path=None):  # noqa: ASYNC109  # the setting
    settings = ServiceSettings(
        endpoint_url=url, region="us-east-1", timeout=timeout, sdk_path=path or SDK_PATH
    )
    retry = BackoffPolicy(2, Random(1))
    async with open_gateway(settings, retry=retry, clock=clock or SystemClock()) as gateway:
        yield gateway


async def create_at(url, *, timeout=5.0):  # noqa: ASYNC109  # the setting of that name
    async with gateway_to(url, timeout=timeout) as gateway:
        return await gateway.create(REQUEST, not_after=math.inf)


def unused_url(scheme="http", host="127.0.0.1"):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"{scheme}://{host}:{listener.getsockname()[1]}"
