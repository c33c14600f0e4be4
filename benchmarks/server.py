"""The service's stand-in for speed: one constant 201, by nginx where it is installed.

Every benchmark job names the same two participants and has a `job_id` of its own, so that one
constant answer is right for all; nginx puts another session id into each.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from benchmarks.contenders import ROOT
from benchmarks.processes import SERVER_CORE, FailedError, cost_of, cpu_so_far, pinned

ANSWER = (
    '{"ProxySession":{"VoiceConnectorId":"abcdef1ghij2klmno3pqr4","ProxySessionId":"$request_id",'
    '"Status":"Open","ExpiryMinutes":60,"Capabilities":["SMS","Voice"],'
    '"CreatedTimestamp":"2026-01-01T00:00:00.000Z","UpdatedTimestamp":"2026-01-01T00:00:00.000Z",'
    '"Participants":[{"PhoneNumber":"+14155550101","ProxyPhoneNumber":"+12065550101"},'
    '{"PhoneNumber":"+14155550100","ProxyPhoneNumber":"+12065550100"}]}}'
)
PATH = "/voice-connectors/abcdef1ghij2klmno3pqr4/proxy-sessions"
_BODY = '{"ParticipantPhoneNumbers":["+14155550100","+14155550101"],"Capabilities":["Voice","SMS"]}'
_WRK = f"""wrk.method, wrk.body = "POST", '{_BODY}'
wrk.headers["Content-Type"] = "application/json"
"""
_NGINX = """daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
  default_type application/json; client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port}; add_header x-amzn-RequestId $request_id always;
    location / {{ return 201 '{answer}'; }}
  }}
}}
"""
_PATIENCE = 10.0


class Server(NamedTuple):
    """A running stand-in; `kind` names it."""

    url: str
    kind: str
    pid: int

    def cpu(self) -> float:
        """CPU seconds it has used so far, workers included."""
        tasks = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return cpu_so_far([self.pid, *map(int, tasks.read_text("ascii").split())])


@contextmanager
def constant_server(folder: Path) -> Iterator[Server]:
    """Serve on the server's core for the length of the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kind, command = _command(folder, port)
    with pinned(SERVER_CORE):
        process = subprocess.Popen(command, cwd=ROOT)  # noqa: S603  # nginx or our own module
    try:
        _await_port(port)
        yield Server(f"http://127.0.0.1:{port}", kind, process.pid)
    finally:
        process.terminate()
        process.wait()


def _command(folder: Path, port: int) -> tuple[str, list[str]]:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        return "Python", [sys.executable, "-m", "benchmarks.constant_server", str(port)]
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(folder=folder, port=port, answer=ANSWER), "utf-8")
    return "nginx", [nginx, "-e", f"{folder}/error.log", "-c", str(configuration)]


def _await_port(port: int) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise FailedError(f"no server answers at port {port}")


def ceiling(server: Server, folder: Path, seconds: int) -> float | None:
    """What the stand-in answers a second when wrk asks over 64 connections; None without wrk."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return None
    script = folder / "post.lua"
    script.write_text(_WRK, "utf-8")
    load: list[str | Path] = [wrk, "-t1", "-c64", f"-d{seconds}", "-s", script, server.url + PATH]
    found = re.search(rb"Requests/sec:\s+([\d.]+)", cost_of(load).output)
    return float(found[1]) if found else None
