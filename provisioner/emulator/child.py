"""The emulator as a child process that never outlives its parent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from provisioner.emulator.settings import EmulatorSettings
from provisioner.errors import ServiceError

_PATIENCE = 5.0


@contextmanager
def start_child(settings: EmulatorSettings) -> Iterator[str]:
    """A child serves on a free loopback port for the length of the block; gives its URL.

    The child ends when its standard input closes, so also when this process is killed. It has a
    session of its own: a Ctrl-C at the terminal lets the parent drain first.

    Raises:
        ServiceError: the child ended before it was ready; its reason is on stderr.
    """
    command = [
        *(sys.executable, "-m", "provisioner.emulator", "--until-stdin-closes"),
        *("--settings", msgspec.json.encode(settings).decode()),
    ]
    with subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        try:
            yield _url(child)
        finally:
            _end(child)


def _url(child: subprocess.Popen[str]) -> str:
    url = child.stdout.readline().strip() if child.stdout else ""
    if not url:
        raise ServiceError(
            "the emulator did not start",
            hint="its reason stands above; `python -m provisioner.emulator` shows it alone",
        )
    return url


def _end(child: subprocess.Popen[str]) -> None:
    if child.stdin:
        child.stdin.close()
    try:
        child.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
