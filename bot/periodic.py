"""What a process does again and again beside its work: one loop for all of it, which outlives every failure.

A failure is logged, counted and told in `/health`; the next try follows sooner than the next round would have.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from redis.exceptions import RedisError

from bot.mailbox import MailboxError
from bot.metrics import Metrics
from bot.stopping import end_tasks

log = structlog.get_logger()

FIRST_RETRY_S = 1.0


def pause_s(every_s: float, failures: int) -> float:
    """Seconds until the next try after so many failures in a row: 1, 2, 4 … and never more than a round takes."""
    return every_s if failures == 0 else float(min(every_s, FIRST_RETRY_S * 2 ** min(failures - 1, 20)))


@dataclass(slots=True, kw_only=True)
class _Standing:
    """How often a work failed in a row, and what with."""

    failures: int = 0
    error: str = ""


class Background:
    """The periodic work of one process. `start` each, `stop` all."""

    def __init__(self, metrics: Metrics, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self._metrics = metrics
        self._sleep = sleep
        self._tasks: list[asyncio.Task[None]] = []
        self._standing: dict[str, _Standing] = {}

    def start(self, name: str, work: Callable[[], Awaitable[object]], *, every_s: float) -> None:
        """Do `work` now and every `every_s` seconds from then on."""
        self._standing[name] = _Standing()
        self._metrics.background_failing.labels(name).set(0)
        self._tasks.append(asyncio.create_task(self._repeat(name, work, every_s), name=name))

    async def stop(self) -> None:
        """End all of it; what is under way is cancelled."""
        await end_tasks(self._tasks)

    def health(self, service: str) -> dict[str, Any]:
        """The answer of `/health`: a process in trouble lives all the same, and says what fails."""
        failing = self.failing()
        told = {"status": "degraded", "failing": failing} if failing else {"status": "ok"}
        return {**told, "service": service}

    def failing(self) -> dict[str, dict[str, Any]]:
        """What fails now: how often in a row, and with which error."""
        return {
            name: {"failures": standing.failures, "error": standing.error}
            for name, standing in self._standing.items()
            if standing.failures
        }

    async def _repeat(self, name: str, work: Callable[[], Awaitable[object]], every_s: float) -> None:
        while True:
            try:
                await work()
            except asyncio.CancelledError as error:
                if _is_told_to_end():
                    raise
                self._failed(name, error)  # something inside was cancelled; that is no reason to end
            except Exception as error:  # noqa: BLE001 - the boundary of a background task
                self._failed(name, error)
            else:
                self._went_well(name)
            await self._sleep(pause_s(every_s, self._standing[name].failures))

    def _failed(self, name: str, error: BaseException) -> None:
        standing = self._standing[name]
        standing.failures, standing.error = standing.failures + 1, type(error).__name__
        self._metrics.background_failures.labels(name).inc()
        self._metrics.background_failing.labels(name).set(1)
        expected = isinstance(error, RedisError | MailboxError | OSError)
        told = {"work": name, "error": standing.error, "failures": standing.failures}
        log.warning("background work failed", **told, exc_info=None if expected else error)

    def _went_well(self, name: str) -> None:
        standing = self._standing[name]
        if standing.failures:
            log.info("background work goes on", work=name, after_failures=standing.failures)
        standing.failures, standing.error = 0, ""
        self._metrics.background_failing.labels(name).set(0)


def _is_told_to_end() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
