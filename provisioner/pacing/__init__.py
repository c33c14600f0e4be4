"""Keeping to a rate: a token bucket, a pace that yields to throttles, a limiter around both."""

from provisioner.pacing.limiter import RATES, BucketLimiter, build_limiter
from provisioner.pacing.pace import FixedPace, Pace

__all__ = ["RATES", "BucketLimiter", "FixedPace", "Pace", "build_limiter"]
