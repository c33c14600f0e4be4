"""An environment that leads to no AWS account, for runs against the emulator."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_PLACEHOLDERS = {
    "AWS_ACCESS_KEY_ID": "emulator",
    "AWS_SECRET_ACCESS_KEY": "emulator",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@contextmanager
def secluded() -> Iterator[None]:
    """For the length of the block the standard AWS chain finds placeholders only, and no proxy."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("AWS_") or name.upper() in _PROXIES:
            del os.environ[name]
    os.environ.update(_PLACEHOLDERS)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
