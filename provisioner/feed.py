"""Where workers get their next job."""

from __future__ import annotations

import asyncio
from collections import deque

from provisioner.job import Job
from provisioner.ports import Ledger

_CLAIM_AT_ONCE = 256


class JobFeed:
    """Pending jobs, claimed in batches when a worker asks for one; those put back come first.

    `limit` bounds the jobs; one that is among those `counted` is not counted again.
    """

    def __init__(self, ledger: Ledger, limit: int | None, counted: set[int]) -> None:
        self._ledger = ledger
        self._limit = limit
        self._counted = counted
        self._claimed: deque[Job] = deque()
        self._again: deque[Job] = deque()
        self._claiming = asyncio.Lock()
        self._is_over = False

    async def next(self) -> Job | None:
        """The next job, in the ledger's order; None when there is none left."""
        while not (self._again or self._claimed or self._is_over):
            async with self._claiming:
                if not self._claimed and not self._is_over:
                    await self._claim()
        jobs = self._again or self._claimed
        return jobs.popleft() if jobs else None

    def put_back(self, job: Job) -> None:
        """Let somebody have a job again."""
        self._again.append(job)

    async def _claim(self) -> None:
        batch = await self._ledger.claim(_CLAIM_AT_ONCE)
        self._claimed.extend(filter(self._is_within_limit, batch))
        self._is_over = not self._claimed

    def _is_within_limit(self, job: Job) -> bool:
        if self._limit is None or job.id in self._counted:
            return True
        if len(self._counted) >= self._limit:
            return False
        self._counted.add(job.id)
        return True
