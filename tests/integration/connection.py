"""A raw connection to the emulator's fast face."""

import asyncio
import json
from contextlib import asynccontextmanager

from provisioner.emulator.faults import parse_faults
from provisioner.emulator.http import serve
from provisioner.emulator.settings import CONNECTOR, EmulatorSettings

SESSIONS = f"/voice-connectors/{CONNECTOR}/proxy-sessions"
PROXY = f"/voice-connectors/{CONNECTOR}/programmable-numbers/proxy"
SIGNED = "Authorization: AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/chime/aws4_request\r\n"
BODY = json.dumps(
    {"ParticipantPhoneNumbers": ["+14155550170", "+14155550171"], "Capabilities": ["Voice"]}
)
NOW = 1_700_000_000.0


def request(method="POST", target=SESSIONS, body=BODY, headers=SIGNED, version="1.1"):
    head = f"{method} {target} HTTP/{version}\r\nHost: emulator\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


@asynccontextmanager
async def emulator(faults="", **settings):
    settings = EmulatorSettings(faults=parse_faults(faults), **settings)
    async with serve(settings, clock=lambda: NOW) as server:
        yield server


@asynccontextmanager
async def connection(server):
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


async def read_answer(reader):
    """Status, headers and body of one answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(head[0].split()[1]), headers, body


async def ask(server, raw):
    async with connection(server) as (reader, writer):
        writer.write(raw)
        return await read_answer(reader)


async def ask_to_the_end(server, raw):
    """Everything the server sends until it closes."""
    async with connection(server) as (reader, writer):
        writer.write(raw)
        return await reader.read()


def created(server):
    return len(list(server.emulator.service.records()))


def fill(server, count):
    for number in range(count):
        pair = [f"+1415{number:07d}", f"+1212{number:07d}"]
        parameters = {"ParticipantPhoneNumbers": pair, "Capabilities": ["SMS"]}
        parameters["VoiceConnectorId"] = CONNECTOR
        server.emulator.call("CreateProxySession", parameters, NOW)
