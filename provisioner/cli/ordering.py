"""The body of `rate`: leave the order, wait until it is taken."""

from __future__ import annotations

import time
from pathlib import Path

from provisioner.cli.speech import tell
from provisioner.errors import CannotWriteError, ConfigurationError, ExitCode, UsageError
from provisioner.ledger import ledger_path
from provisioner.report.atomic import replaced
from provisioner.steering import is_rate, order_file

PATIENCE = 3.0
"""Seconds in which a run obeys, many times over."""

_LOOK_EVERY = 0.05


def order(rate: float, ledger: str) -> int:
    """Exit code 0 once a run obeys."""
    if not is_rate(rate):
        raise UsageError(f"{rate:g} calls a second cannot be kept", hint="0.01 or more, 0 pauses")
    path = ledger_path(ledger)
    if not path.exists():
        raise ConfigurationError(f"there is no ledger at {path}", hint="name it with --ledger")
    orders = order_file(path)
    _leave(orders, rate)
    try:
        taken = _taken(orders)
    finally:
        orders.unlink(missing_ok=True)
    if not taken:
        raise ConfigurationError(
            f"no run on {path} obeys",
            hint="`provisioner run --rate` sets the rate of the next one",
        )
    tell(f"at most {rate:g} calls a second from now on" if rate else "paused")
    return ExitCode.OK


def _leave(orders: Path, rate: float) -> None:
    try:
        with replaced(orders.parent, [orders.name]) as (file,):
            file.write(f"{rate!r}\n")
    except CannotWriteError as error:
        raise CannotWriteError(
            str(error), hint="who steers a run writes beside its ledger, as the run itself does"
        ) from error


def _taken(orders: Path) -> bool:
    for _ in range(round(PATIENCE / _LOOK_EVERY)):
        if not orders.exists():
            return True
        time.sleep(_LOOK_EVERY)
    return False
