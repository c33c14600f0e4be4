"""How soon a run makes its first call, and how soon `--help` is there."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from benchmarks.contenders import ENVIRONMENT, write_jobs
from benchmarks.machine import described
from benchmarks.processes import Cost, cost_of
from benchmarks.server import ANSWER

_HELP = [sys.executable, "-m", "provisioner", "--help"]
_CLICK = [sys.executable, "-c", "import click"]
_MEANING = (
    "From the start of a new process; `make bench ONLY=startup` repeats it. The first call is the "
    "first CreateProxySession at the server, of a run with a job file of one row: it is validated, "
    "recorded, and its connector checked before.\n"
)
_HEAD = "| | median s | lowest s | highest s | CPU s |\n|---|---:|---:|---:|---:|"


class _Service(BaseHTTPRequestHandler):
    """Answers a connector's proxy and any creation; the server knows when the first came."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """The connector is there."""
        self._answer(200, b'{"Proxy":{"Disabled":false}}')

    def do_POST(self) -> None:
        """A session."""
        self.server.first_call = self.server.first_call or time.perf_counter()
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(201, ANSWER.replace("$request_id", "0" * 32).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


class _Server(ThreadingHTTPServer):
    first_call = 0.0


@contextmanager
def _serving() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Service) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


def startup_page(folder: Path, *, rounds: int) -> str:
    """Markdown; everything once a round, after a start that leaves the byte code."""
    write_jobs(folder / "jobs.csv", 1)
    calls: list[tuple[float, Cost]] = []
    helps: list[Cost] = []
    clicks: list[Cost] = []
    for number in range(rounds + 1):
        calls.append(_first_call(folder, number))
        helps.append(cost_of(_HELP))
        clicks.append(cost_of(_CLICK))
    cpus = [statistics.median(each.cpu for each in some[1:]) for some in (helps, clicks)]
    return "\n".join(
        (
            "# Starting\n",
            _MEANING,
            _HEAD,
            _line("first call", [first for first, _ in calls[1:]]),
            _whole("the whole run", [run for _, run in calls[1:]]),
            _whole("`provisioner --help`", helps[1:]),
            _whole("`python -c 'import click'`", clicks[1:]),
            f"\n`--help` takes {cpus[0] / cpus[1]:.2f} times the CPU of importing click.",
            f"\n{described()}\n",
        )
    )


def _first_call(folder: Path, number: int) -> tuple[float, Cost]:
    """Seconds from the start of the process, and the whole run."""
    with _serving() as server:
        files = ["--ledger", f"{number}.db", "--out", f"out{number}"]
        endpoint = ["--endpoint-url", f"http://127.0.0.1:{server.server_port}"]
        command = [sys.executable, "-m", "provisioner", "run", "jobs.csv", *files, *endpoint]
        began = time.perf_counter()
        cost = cost_of(command, environment=ENVIRONMENT, folder=folder)
        return server.first_call - began, cost


def _whole(what: str, costs: Sequence[Cost]) -> str:
    cpu = statistics.median(each.cpu for each in costs)
    return _line(what, [each.seconds for each in costs], f"{cpu:.2f}")


def _line(what: str, seconds: Sequence[float], cpu: str = "") -> str:
    figures = f"{statistics.median(seconds):.2f} | {min(seconds):.2f} | {max(seconds):.2f} | {cpu}"
    print(f"startup: {what}: {figures}", file=sys.stderr)
    return f"| {what} | {figures} |"
