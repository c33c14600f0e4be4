"""The pages of the fast face that are not the service's."""

import asyncio
import json

from tests.integration.connection import (
    ask,
    ask_to_the_end,
    connection,
    emulator,
    fill,
    request,
)


async def test_the_state_page_counts():
    async with emulator("throttle=100%") as server:
        await ask(server, request())
        _, _, body = await ask(server, request("GET", "/_emulator/state", ""))
    state = json.loads(body)
    assert state["statuses"] == {"429": 1}
    assert state["faults"] == {"throttle": 1}
    assert state["peaks"] == {"CreateProxySession": 1}
    assert state["sessions"] == {}


async def test_the_sessions_page_streams_every_session_ever_made():
    async with emulator() as server:
        fill(server, 1200)
        answer = await ask_to_the_end(server, request("GET", "/_emulator/sessions", ""))
    lines = [json.loads(line) for line in answer.partition(b"\r\n\r\n")[2].splitlines()]
    assert len({each["id"] for each in lines}) == 1200
    assert lines[0].keys() == {"id", "name", "participants", "connector", "created", "status"}


async def test_a_slow_reader_of_the_sessions_page_gets_all_of_it():
    async with emulator() as server:
        fill(server, 30_000)
        async with connection(server) as (reader, writer):
            writer.write(request("GET", "/_emulator/sessions", ""))
            await reader.read(1000)
            await asyncio.sleep(0.05)
            rest = await reader.read()
    assert rest.count(b"\n") > 29_990


async def test_faults_can_be_changed_while_serving():
    async with emulator() as server:
        assert (await ask(server, request(target="/_emulator/faults", body="throttle=100%")))[
            0
        ] == 200
        assert (await ask(server, request()))[0] == 429
        status, _, body = await ask(server, request(target="/_emulator/faults", body="nope=1"))
        assert status == 400
        assert b"allowed" in body


async def test_the_quota_can_be_changed_while_serving():
    async with emulator() as server:
        quota = request(target="/_emulator/quota", body='{"rate": 1}')
        assert (await ask(server, quota))[0] == 200
        assert [(await ask(server, request()))[0] for _ in range(2)] == [201, 429]
        assert (await ask(server, request(target="/_emulator/quota", body="null")))[0] == 200
        assert (await ask(server, request()))[0] == 201
        for body in ("much", '{"rate": 0}'):
            assert (await ask(server, request(target="/_emulator/quota", body=body)))[0] == 400


async def test_an_unknown_page_of_ours_is_not_found():
    async with emulator() as server:
        assert (await ask(server, request("GET", "/_emulator/x", "")))[0] == 404
