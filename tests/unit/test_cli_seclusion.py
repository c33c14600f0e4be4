from __future__ import annotations

import os

import pytest

from provisioner.cli.seclusion import secluded


def test_nothing_of_an_account_is_seen_and_all_is_back_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    theirs = {"AWS_PROFILE": "bogus", "AWS_SESSION_TOKEN": "x", "https_proxy": "http://proxy:1"}
    for name, value in theirs.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with secluded():
        assert not set(theirs) & set(os.environ)
        assert os.environ["AWS_CONFIG_FILE"] == os.devnull
        assert os.environ["AWS_ACCESS_KEY_ID"] == "emulator"
    assert dict(os.environ) == before
