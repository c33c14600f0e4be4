"""What the fast face does on a raw connection: each fault, and every way to be misused."""

import asyncio
import json
import logging

import pytest

from provisioner.emulator.http import serve
from provisioner.emulator.settings import EmulatorSettings
from provisioner.errors import ConfigurationError
from tests.integration.connection import (
    BODY,
    PROXY,
    SESSIONS,
    SIGNED,
    ask,
    ask_to_the_end,
    connection,
    created,
    emulator,
    read_answer,
    request,
)


@pytest.fixture(autouse=True)
def no_traceback(caplog):
    """Whatever a caller does, asyncio has nothing to complain of."""
    with caplog.at_level(logging.WARNING, "asyncio"):
        yield
    assert [each for each in caplog.records if each.name == "asyncio"] == []


async def test_an_error_carries_its_type_its_id_and_a_body():
    async with emulator("throttle=100%", retry_after=2) as server:
        status, headers, body = await ask(server, request())
    assert status == 429
    assert headers["x-amzn-errortype"] == "throttledclientexception"
    assert headers["x-amzn-requestid"]
    assert headers["retry-after"] == "2"
    assert json.loads(body) == {"Code": "Throttled", "Message": "Rate exceeded"}


@pytest.mark.parametrize(
    ("kind", "status", "sessions"),
    [
        ("throttle", 429, 0),
        ("unavailable", 503, 0),
        ("unavailable_after", 503, 1),
        ("failure_before", 500, 0),
        ("failure_after", 500, 1),
    ],
)
async def test_a_fault_with_an_answer(kind, status, sessions):
    async with emulator(f"{kind}=100%") as server:
        answer = await ask(server, request())
        assert (answer[0], created(server)) == (status, sessions)
        assert "retry-after" not in answer[1]


async def test_a_lost_reply_closes_the_connection_of_a_created_session():
    async with emulator("lost=100%") as server:
        assert await ask_to_the_end(server, request()) == b""
        assert created(server) == 1


async def test_a_reset_is_a_reset():
    async with emulator("reset=100%") as server:
        with pytest.raises(ConnectionResetError):
            await ask_to_the_end(server, request())


async def test_an_unreadable_answer_is_a_201_without_json():
    async with emulator("unreadable=100%") as server:
        status, _, body = await ask(server, request())
        assert (status, created(server)) == (201, 1)
        with pytest.raises(json.JSONDecodeError):
            json.loads(body)


async def test_a_hanging_call_has_created_its_session():
    async with emulator("hang=100%@20ms") as server:
        assert await ask_to_the_end(server, request()) == b""
        assert created(server) == 1


async def test_a_call_that_hangs_for_ever_ends_when_the_caller_leaves():
    async with emulator("hang=100%") as server:
        async with connection(server) as (reader, writer):
            writer.write(request())
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.05)
        assert (await ask(server, request("GET", PROXY, "")))[0] == 200


async def test_a_slow_listing_hides_a_created_session():
    async with emulator("slow_listing=100%") as server:
        assert (await ask(server, request()))[0] == 201
        _, _, body = await ask(server, request("GET", SESSIONS, ""))
        assert json.loads(body) == {"ProxySessions": []}


async def test_latency_delays_the_answer_and_keeps_the_order():
    async with emulator("latency=20ms") as server, connection(server) as (reader, writer):
        begun = asyncio.get_running_loop().time()
        writer.write(request() + request("GET", PROXY, "") + request("GET", "/x", ""))
        statuses = [(await read_answer(reader))[0] for _ in range(3)]
        assert statuses == [201, 200, 404]
        assert asyncio.get_running_loop().time() - begun >= 0.04


async def test_a_caller_may_leave_before_a_late_answer():
    async with emulator("latency=20ms") as server:
        async with connection(server) as (_, writer):
            writer.write(request())
            await writer.drain()
        await asyncio.sleep(0.04)
        assert created(server) == 1


async def test_pipelined_requests_are_answered_in_order():
    async with emulator() as server, connection(server) as (reader, writer):
        bodies = [json.dumps(json.loads(BODY) | {"Name": f"n{number}"}) for number in range(200)]
        writer.write(b"".join(request(body=body) for body in bodies))
        answers = [json.loads((await read_answer(reader))[2]) for _ in bodies]
    names = [each["ProxySession"]["Name"] for each in answers]
    assert names == [f"n{number}" for number in range(200)]


async def test_more_pipelined_requests_than_are_held_wait_their_turn():
    async with emulator("latency=1ms") as server, connection(server) as (reader, writer):
        writer.write(request("GET", PROXY, "") * 100)
        await writer.drain()
        writer.write(request("GET", PROXY, "") * 10)
        assert {(await read_answer(reader))[0] for _ in range(110)} == {200}


async def test_a_request_may_come_byte_by_byte():
    async with emulator() as server, connection(server) as (reader, writer):
        for byte in request():
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await read_answer(reader))[0] == 201


async def test_a_chunked_body_is_understood():
    chunked = f"{SIGNED}Transfer-Encoding: chunked\r\n"
    raw = (
        f"POST {SESSIONS} HTTP/1.1\r\nHost: e\r\n{chunked}\r\n{len(BODY):x}\r\n{BODY}\r\n0\r\n\r\n"
    )
    async with emulator() as server:
        assert (await ask(server, raw.encode()))[0] == 201


async def test_a_caller_that_waits_for_100_gets_it():
    async with emulator() as server, connection(server) as (reader, writer):
        raw = request(headers=f"{SIGNED}Expect: 100-continue\r\n")
        writer.write(raw.removesuffix(BODY.encode()))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(BODY.encode())
        assert (await read_answer(reader))[0] == 201


async def test_an_old_caller_gets_its_connection_closed():
    async with emulator() as server:
        answer = await ask_to_the_end(server, request(version="1.0"))
    assert answer.startswith(b"HTTP/1.1 201 Created\r\n")
    assert b"Connection: close\r\n" in answer


async def test_percent_encoding_in_a_path_is_undone():
    async with emulator(connectors=("a b",)) as server:
        target = "/voice-connectors/a%20b/programmable-numbers/proxy"
        assert (await ask(server, request("GET", target, "")))[0] == 200


async def test_a_head_request_gets_no_body():
    async with emulator() as server, connection(server) as (reader, writer):
        writer.write(request("HEAD", body="", headers=f"{SIGNED}Connection: close\r\n"))
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (request("GET", "/nowhere", ""), 404),
        (request("PATCH"), 405),
        (request(headers=""), 401),
        (request(headers=SIGNED.replace("/chime/", "/s3/")), 401),
        (request(headers="Authorization: Basic eDp5\r\n"), 401),
        (request(headers=f"{SIGNED}X-Amz-Date: yesterday\r\n"), 401),
        (request(headers=f"{SIGNED}X-Amz-Date: 20231114T221320Z\r\n"), 201),
        (request(headers=f"{SIGNED}X-Amz-Date: 20231114T220000Z\r\n"), 403),
        (request(body="{"), 400),
        (request(body="[]"), 400),
        (request(body="[" * 5000), 400),
        (request(body="\x00"), 400),
        (request(body=""), 400),
        (request("GET", f"{SESSIONS}?max-results=x", ""), 400),
        (request("GET", f"{SESSIONS}?max-results=5&status=Open&other=%ff", ""), 200),
        (request("GET", "/voice-connectors/%ff/proxy-sessions", ""), 404),
        (request(body=" " * 300_000), 413),
        (request(headers=f"X-Long: {'x' * 40_000}\r\n"), 431),
        (request("GET", "/" + "x" * 40_000, ""), 431),
        (b"GET / HTTP/1.1\r\nX-Endless: " + b"x" * 400_000, 431),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -4\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", 404),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_request_that_cannot_be_served_is_told_so_and_the_server_lives(raw, status):
    async with emulator() as server:
        assert (await ask(server, raw))[0] == status
        assert (await ask(server, request()))[0] == 201


@pytest.mark.parametrize("raw", [b"", b"POST /voi", request()[:-5]])
async def test_a_caller_that_leaves_in_the_middle_does_no_harm(raw):
    async with emulator() as server:
        async with connection(server) as (_, writer):
            writer.write(raw)
            await writer.drain()
        assert (await ask(server, request()))[0] == 201
        assert created(server) == 1


async def test_what_follows_a_broken_request_is_not_heard():
    async with emulator() as server, connection(server) as (reader, writer):
        writer.write(request() + b"nonsense\r\n\r\n" + request())
        assert (await read_answer(reader))[0] == 201
        writer.write(request())
        assert (await read_answer(reader))[0] == 400
        assert created(server) == 1


async def test_connections_are_dropped_when_the_server_ends():
    async with emulator("hang=100%") as server:
        host, port = server.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(request())
        await writer.drain()
        await asyncio.sleep(0.01)
    with pytest.raises(ConnectionError):
        await asyncio.open_connection(host, int(port))
    writer.close()


async def test_an_address_in_use_is_a_configuration_error():
    async with emulator() as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(ConfigurationError, match="cannot listen"):
            async with serve(EmulatorSettings(), port=port):
                pass


async def test_the_url_of_an_ipv6_address_has_brackets():
    try:
        async with serve(EmulatorSettings(), host="::1") as server:
            assert server.url.startswith("http://[::1]:")
    except ConfigurationError:
        pytest.skip("this machine has no IPv6 loopback")
