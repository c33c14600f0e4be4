"""A disk that fills up, and a folder that turns out to be read-only."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Emulator, Terminal


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a file system of the size given, or resizes it."""
    mounted: list[Path] = []

    def mount(size: str) -> Path:
        folder = tmp_path / "disk"
        folder.mkdir(exist_ok=True)
        options = f"{'remount,' if mounted else ''}size={size}"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder],
            capture_output=True,
            check=False,
        )
        if done.returncode:
            pytest.skip("may not mount a file system")
        mounted.append(folder)
        return folder

    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("may not mount a file system")
    yield mount
    for folder in mounted[:1]:
        subprocess.run(["umount", folder], check=False)


def test_a_disk_that_fills_up_while_a_file_is_recorded_refuses_it_whole(
    terminal: Terminal, emulator: Emulator, small_disk: Callable[[str], Path]
) -> None:
    ledger = small_disk("1m") / "ledger.db"
    terminal.jobs(5000)
    done = terminal(
        "run", "night.csv", "--ledger", ledger, "--endpoint-url", emulator.url, "--rate", 2000
    )
    assert done.returncode == 74, done.stderr
    assert "full" in done.stderr
    assert emulator.sessions() == []


def test_a_disk_that_fills_up_midway_loses_nothing(
    terminal: Terminal, emulator: Emulator, small_disk: Callable[[str], Path]
) -> None:
    disk = small_disk("2m")
    terminal.jobs(400)
    args = ("run", "night.csv", "--ledger", disk / "ledger.db", "--endpoint-url", emulator.url)
    assert terminal(*args, "--rate", 500, "--limit", 5).returncode == 75
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        while shutil.disk_usage(disk).free > 96 * 1024:
            file.write(bytes(4096))
            file.flush()
    full = terminal(*args, "--rate", 500)
    assert full.returncode == 74, full.stderr
    assert "Traceback" not in full.stderr
    small_disk("20m")
    again = terminal(*args, "--rate", 500, "--settle", "1500ms", "--json")
    assert json.loads(again.stdout)["counts"]["created"] == 400
    assert len({session["Name"] for session in emulator.sessions()}) == 400
    assert len(emulator.sessions()) == 400


def test_results_on_a_full_disk_are_refused_and_written_later(
    terminal: Terminal, emulator: Emulator, small_disk: Callable[[str], Path]
) -> None:
    disk = small_disk("64k")
    terminal.jobs(1000)
    args = ("run", "night.csv", "--out", disk / "out", "--endpoint-url", emulator.url)
    done = terminal(*args, "--rate", 2000)
    assert done.returncode == 74, done.stderr
    assert list((disk / "out").iterdir()) == []
    assert terminal("results", "--out", "elsewhere").returncode == 0
    lines = (terminal.folder / "elsewhere/created.csv").read_text("utf-8").splitlines()
    assert len(lines) == 1001
