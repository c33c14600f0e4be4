"""The command as it is typed, against an emulated service on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.request import Request, urlopen

import pytest
from anyio.from_thread import start_blocking_portal

from provisioner.cli import main
from provisioner.emulator.http import serve
from provisioner.emulator.settings import CONNECTOR, EmulatorSettings

COMMAND = Path(sys.executable).with_name("provisioner")
SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/chime/aws4_request"}


def environment() -> dict[str, str]:
    """Ours, without what could reach a real account or change an option.

    PROVISIONER_SDK_PATH alone is kept: with `stock` in it the whole suite takes the other path.
    """
    kept = {
        k: v
        for k, v in os.environ.items()
        if k == "PROVISIONER_SDK_PATH" or not k.startswith(("AWS_", "PROVISIONER_"))
    }
    return kept | {
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
        "COLUMNS": "80",
    }


class Terminal:
    """A folder to stand in and the command to type.

    A call runs the command in this process, which is quick; `process` and `start` run the one
    that is installed, for what only a process of its own has: signals, streams, its death.
    """

    def __init__(self, folder: Path, captured: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._captured = captured

    def __call__(self, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        typed = ["provisioner", *map(str, arguments)]
        self._captured.readouterr()
        with (
            chdir(self.folder),
            patch.dict(os.environ, environment() | variables, clear=True),
            patch.multiple(sys, argv=typed, stdout=sys.stdout, stderr=sys.stderr),
            pytest.raises(SystemExit) as ended,
        ):
            main()
        said = self._captured.readouterr()
        return subprocess.CompletedProcess(typed, int(ended.value.code or 0), said.out, said.err)

    def process(
        self, *arguments: object, text: str | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=environment() | variables,
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def sending(self, *arguments: object) -> subprocess.Popen[str]:
        """A `run` that has created a session since it was started; or has ended."""
        process = self.start("run", *arguments, "--log-level", "debug")
        assert process.stderr is not None
        next((line for line in process.stderr if "session created" in line), None)
        return process

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, "utf-8")
        return path

    def jobs(self, count: int, name: str = "night.csv") -> Path:
        """A job file of `count` valid rows."""
        rows = [f"+1206{n:07},+1312{n:07},{CONNECTOR},customer {n}" for n in range(count)]
        header = "participant_1,participant_2,voice_connector_id,customer"
        return self.write(name, "\n".join([header, *rows]) + "\n")


class Emulator:
    """An emulated service that answers at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def sessions(self, connector: str = CONNECTOR) -> list[dict[str, Any]]:
        """Every session of a connector, as the service lists it."""
        found: list[dict[str, Any]] = []
        path = f"/voice-connectors/{connector}/proxy-sessions?max-results=99"
        page = self._get(path)
        found += page["ProxySessions"]
        while "NextToken" in page:
            page = self._get(f"{path}&next-token={page['NextToken']}")
            found += page["ProxySessions"]
        return found

    def peak(self) -> int:
        """The most CreateProxySession requests in any second."""
        return int(self._get("/_emulator/state")["peaks"]["CreateProxySession"])

    def faults(self, text: str) -> None:
        """Change the faults from here on."""
        self._read(Request(f"{self.url}/_emulator/faults", text.encode()))  # noqa: S310  # loopback

    def _get(self, path: str) -> Any:  # any JSON
        return json.loads(self._read(Request(f"{self.url}{path}", headers=SIGNED)))  # noqa: S310  # loopback

    def _read(self, request: Request) -> bytes:
        with urlopen(request, timeout=10) as answer:  # noqa: S310  # loopback
            read: bytes = answer.read()
            return read


@pytest.fixture
def terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(tmp_path, capfd)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """The service, in a thread of this process."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serve(EmulatorSettings())) as server,
    ):
        yield Emulator(server.url)
