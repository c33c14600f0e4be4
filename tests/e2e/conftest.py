"""The installed command, against an emulator of its own on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

COMMAND = Path(sys.executable).with_name("provisioner")
CONNECTOR = "abcdef1ghij2klmno3pqr4"


def environment() -> dict[str, str]:
    """Ours, without what could reach a real account or change an option."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PROVISIONER_"))}
    return kept | {
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
        "COLUMNS": "80",
    }


class Terminal:
    """A folder to stand in and the command to type."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
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
    """A running `provisioner emulate`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def sessions(self, connector: str = CONNECTOR) -> list[dict[str, Any]]:
        """Every session of a connector, as the service lists it."""
        client = boto3.client(
            "chime-sdk-voice",
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id="emulator",
            aws_secret_access_key="emulator",
        )
        found: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            page = client.list_proxy_sessions(VoiceConnectorId=connector, MaxResults=99, **token)
            found += page["ProxySessions"]
            if "NextToken" not in page:
                client.close()
                return found
            token = {"NextToken": page["NextToken"]}

    def peak(self) -> int:
        """The most CreateProxySession requests in any second."""
        with urllib.request.urlopen(f"{self.url}/_emulator/state", timeout=10) as answer:  # noqa: S310  # loopback
            return int(json.load(answer)["peaks"]["CreateProxySession"])

    def faults(self, text: str) -> None:
        """Change the faults from here on."""
        request = urllib.request.Request(f"{self.url}/_emulator/faults", text.encode())  # noqa: S310  # loopback
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310  # loopback


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


@contextmanager
def running_emulator(terminal: Terminal, *arguments: object) -> Iterator[Emulator]:
    with terminal.start("emulate", "--port", 0, *arguments) as process:
        try:
            assert process.stdout is not None
            yield Emulator(process.stdout.readline().strip())
        finally:
            process.terminate()
            process.communicate(timeout=20)


@pytest.fixture
def emulators(terminal: Terminal) -> Iterator[Callable[..., Emulator]]:
    """Starts emulators with the arguments given."""
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(running_emulator(terminal, *arguments))


@pytest.fixture
def emulator(emulators: Callable[..., Emulator]) -> Emulator:
    return emulators()
