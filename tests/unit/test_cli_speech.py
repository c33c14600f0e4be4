from __future__ import annotations

import subprocess
import sys

import pytest

WARN = """
import logging
from provisioner.cli.speech import hush_libraries
{}
logging.getLogger("botocore.tokens").warning("SSO token refresh failed")
"""


@pytest.mark.parametrize(
    ("setup", "told"),
    [("", True), ("hush_libraries()", False), ("hush_libraries(); logging.basicConfig()", True)],
)
def test_libraries_log_only_to_those_who_asked(setup: str, told: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WARN.format(setup)], capture_output=True, text=True, check=True
    )
    assert ("SSO token refresh failed" in done.stderr) is told
