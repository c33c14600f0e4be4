"""boto3 in CALLERS threads that share one client. Arguments: URL CALLS CALLERS."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

REQUEST = {
    "VoiceConnectorId": "abcdef1ghij2klmno3pqr4",
    "ParticipantPhoneNumbers": ["+14155550100", "+14155550101"],
    "Capabilities": ["Voice", "SMS"],
}


def main(url: str, calls: int, callers: int) -> None:
    """Make the calls and print what they took."""
    config = Config(max_pool_connections=callers, retries={"total_max_attempts": 1})
    client = boto3.client("chime-sdk-voice", endpoint_url=url, config=config)

    def call(_: int) -> float:
        began = time.perf_counter()
        client.create_proxy_session(**REQUEST)
        return time.perf_counter() - began

    with ThreadPoolExecutor(callers) as threads:
        began = time.perf_counter()
        latencies = sorted(threads.map(call, range(calls)))
        seconds = time.perf_counter() - began
    p50, p99 = (latencies[int(calls * share)] for share in (0.5, 0.99))
    print(json.dumps({"calls": len(latencies), "seconds": seconds, "p50": p50, "p99": p99}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
