"""Keeping to a rate: a token bucket, a pace that yields to throttles, a limiter around both.

And a breaker, for a service that is unwell.
"""

from provisioner.pacing.breaker import CircuitBreaker
from provisioner.pacing.limiter import RATES, BucketLimiter, build_limiter
from provisioner.pacing.pace import FixedPace, Pace

__all__ = ["RATES", "BucketLimiter", "CircuitBreaker", "FixedPace", "Pace", "build_limiter"]
