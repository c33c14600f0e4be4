"""A plain aioboto3 worker loop: CALLERS tasks share one client. Arguments: URL CALLS CALLERS."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator

import aioboto3
from botocore.config import Config

REQUEST = {
    "VoiceConnectorId": "abcdef1ghij2klmno3pqr4",
    "ParticipantPhoneNumbers": ["+14155550100", "+14155550101"],
    "Capabilities": ["Voice", "SMS"],
}


async def main(url: str, calls: int, callers: int) -> None:
    """Make the calls and print what they took."""
    config = Config(max_pool_connections=callers, retries={"total_max_attempts": 1})
    turns, latencies = iter(range(calls)), []

    async def work(client: object, turns: Iterator[int]) -> None:
        for _ in turns:
            began = time.perf_counter()
            await client.create_proxy_session(**REQUEST)  # type: ignore[attr-defined]
            latencies.append(time.perf_counter() - began)

    session = aioboto3.Session()
    async with session.client("chime-sdk-voice", endpoint_url=url, config=config) as client:
        began = time.perf_counter()
        await asyncio.gather(*(work(client, turns) for _ in range(callers)))
        seconds = time.perf_counter() - began
    latencies.sort()
    p50, p99 = (latencies[int(calls * share)] for share in (0.5, 0.99))
    print(json.dumps({"calls": len(latencies), "seconds": seconds, "p50": p50, "p99": p99}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
