"""Requests, tokens and concurrency per key on one replica."""

from services.relay.limits.limiter import LocalRateLimiter

__all__ = ["LocalRateLimiter"]
