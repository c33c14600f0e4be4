"""Keeping to a rate: a token bucket, a pace that yields to throttles, a limiter around both."""

from provisioner.pacing.limiter import BucketLimiter, build_limiter
from provisioner.pacing.pace import FixedPace, Pace

__all__ = ["BucketLimiter", "FixedPace", "Pace", "build_limiter"]
