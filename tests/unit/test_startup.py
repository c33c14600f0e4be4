"""What a start need not load, it does not."""

import subprocess
import sys

import pytest

LOGGING = """
import io
from provisioner.report import configure_logging
configure_logging("json", "info", io.StringIO())
"""
STARTS = {
    "help": (
        "import provisioner.cli.run",
        {"msgspec", "anyio", "aiohttp", "botocore", "rich", "structlog", "sqlite3"},
    ),
    "log lines": (LOGGING, {"rich.console", "rich.traceback", "pygments"}),
    "validate, plan and status": (
        "import provisioner.cli.inspection, provisioner.cli.planning, provisioner.cli.records",
        {"aioboto3", "botocore", "aiohttp", "structlog"},
    ),
}


@pytest.mark.parametrize(("statement", "spared"), STARTS.values(), ids=STARTS)
def test_a_start_spares_what_it_need_not_load(statement, spared):
    # Who watches the process (coverage does) has loaded modules of its own before.
    told = (
        f"import sys; before = {{*sys.modules}}\n{statement}\nprint(*sys.modules.keys() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, check=True, timeout=60
    )
    assert spared.isdisjoint(done.stdout.split())
