"""The floor: unsigned aiohttp POSTs of one constant body. Arguments: URL CALLS CALLERS."""

import asyncio
import json
import sys
import time

import aiohttp
import uvloop

PATH = "/voice-connectors/abcdef1ghij2klmno3pqr4/proxy-sessions"
BODY = b'{"ParticipantPhoneNumbers":["+14155550100","+14155550101"],"Capabilities":["Voice","SMS"]}'
CREATED = 201


async def main(url: str, calls: int, callers: int) -> None:
    """Make the calls and print what they took."""
    turns, latencies = iter(range(calls)), []
    connector = aiohttp.TCPConnector(limit=callers)

    async def work(session: aiohttp.ClientSession) -> None:
        for _ in turns:
            began = time.perf_counter()
            async with session.post(url + PATH, data=BODY) as answer:
                await answer.read()
                if answer.status != CREATED:
                    raise SystemExit(answer.status)
            latencies.append(time.perf_counter() - began)

    async with aiohttp.ClientSession(connector=connector) as session:
        began = time.perf_counter()
        await asyncio.gather(*(work(session) for _ in range(callers)))
        seconds = time.perf_counter() - began
    latencies.sort()
    p50, p99 = (latencies[int(calls * share)] for share in (0.5, 0.99))
    print(json.dumps({"calls": len(latencies), "seconds": seconds, "p50": p50, "p99": p99}))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
