"""What holds when nothing else is said, to the library and on the command line alike."""

from __future__ import annotations

LEDGER = "provisioner.db"
CONNECTIONS = 64
"""Calls on the wire at once, where nothing asks for more."""
POOL = 512
"""Calls on the wire at once at most, where nobody said how many."""
SLOWEST, FASTEST = 0.01, 100_000.0
"""Calls a second."""
SDK_PATH = "lean"
TIMEOUT = 30.0
"""Seconds for one call's answer."""
MAX_ATTEMPTS = 8
GIVE_UP = 900.0
"""Seconds without a call that went well."""
SETTLE = 900.0
"""Seconds: longer than a signature is good for, and any listing lags behind."""
CLOCK_SKEW = 300.0
"""Seconds that our clock and the service's may be apart."""
