"""Where and with what figures were measured."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("aioboto3", "aiobotocore", "botocore", "aiohttp", "uvloop", "msgspec")


def described() -> str:
    """One paragraph: processor, cores, kernel, versions, commit, day."""
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    others = ", ".join(filter(None, (_said("node", "--version"), _said("go", "version"))))
    return (
        f"{_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end; "
        f"{platform.system()} {platform.release()}; Python {platform.python_version()}, "
        f"{versions}; {others or 'no node, no go'}; commit {_commit()}, {datetime.now(UTC):%F}."
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    changed = _said("git", "status", "--porcelain", "--untracked-files=no", "provisioner")
    return _said("git", "rev-parse", "--short", "HEAD") + (" with changes" if changed else "")


def _said(name: str, *arguments: str) -> str:
    path = shutil.which(name)
    if path is None:
        return ""
    done = subprocess.run(  # noqa: S603  # asks for a version
        [path, *arguments], capture_output=True, text=True, check=False
    )
    prefix = "" if name in {"git", "go"} else f"{name} "
    return prefix + done.stdout.strip()
