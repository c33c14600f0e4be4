"""Keeping to a rate: a token bucket, a pace that yields to throttles, a limiter around both."""
