"""Periodic work outlives whatever happens to it, and says so."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pytest
from redis.exceptions import ConnectionError as StoreAway
from structlog.testing import capture_logs

from bot.mailbox import StoreUnavailable
from bot.metrics import Metrics
from bot.periodic import Background, pause_s

WAIT_S = 20
PERIOD_S = 30.0


class Rounds:
    """Work that fails as it is told, then goes well; the clock runs as fast as the work."""

    def __init__(self, *errors: BaseException) -> None:
        self.metrics = Metrics()
        self.background = Background(self.metrics, sleep=self._sleep)
        self.pauses: list[float] = []
        self.healths: list[dict[str, object]] = []
        self._errors: Iterator[BaseException] = iter(errors)
        self._enough = asyncio.Event()

    async def work(self) -> None:
        for error in self._errors:
            raise error

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.healths.append(self.background.health("test"))
        if seconds == PERIOD_S:
            self._enough.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)

    async def run(self) -> None:
        """Until a round went well."""
        self.background.start("sweep", self.work, every_s=PERIOD_S)
        await asyncio.wait_for(self._enough.wait(), WAIT_S)
        await self.background.stop()

    def counted(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, {"work": "sweep"})


@pytest.mark.parametrize(
    "error", [StoreAway("cut"), StoreUnavailable("cut"), OSError(28, "no room"), RuntimeError("a mistake"), KeyError()]
)
async def test_whatever_fails_is_logged_counted_and_done_again(error: Exception) -> None:
    rounds = Rounds(error, error)
    with capture_logs() as logs:
        await rounds.run()
    told = [(line["work"], line["error"]) for line in logs if line["log_level"] == "warning"]
    assert told == [("sweep", type(error).__name__)] * 2
    assert (rounds.counted("recado_background_failures_total"), rounds.counted("recado_background_failing")) == (2, 0)


async def test_work_whose_own_inside_was_cancelled_goes_on() -> None:
    rounds = Rounds(asyncio.CancelledError())
    await rounds.run()
    assert rounds.counted("recado_background_failures_total") == 1


async def test_health_names_what_fails_for_as_long_as_it_does() -> None:
    rounds = Rounds(RuntimeError(), RuntimeError())
    await rounds.run()
    failing = [health.get("failing") for health in rounds.healths]
    assert failing == [
        {"sweep": {"failures": 1, "error": "RuntimeError"}},
        {"sweep": {"failures": 2, "error": "RuntimeError"}},
        None,
    ]
    assert [health["status"] for health in rounds.healths] == ["degraded", "degraded", "ok"]


async def test_retries_come_soon_and_then_less_and_less_often_up_to_the_period() -> None:
    rounds = Rounds(*[RuntimeError()] * 5)
    await asyncio.wait_for(rounds.run(), WAIT_S)
    assert rounds.pauses == [1, 2, 4, 8, 16, PERIOD_S]


@pytest.mark.parametrize(("every_s", "failures", "pause"), [(3, 0, 3), (3, 5, 3), (0.5, 1, 0.5), (3600, 10_000, 3600)])
def test_no_pause_is_longer_than_a_round(every_s: float, failures: int, pause: float) -> None:
    assert pause_s(every_s, failures) == pause


async def test_it_ends_when_told_although_the_work_waits() -> None:
    background = Background(Metrics())
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        await asyncio.Event().wait()

    background.start("waits", work, every_s=1)
    await begun.wait()
    await asyncio.wait_for(background.stop(), WAIT_S)


async def test_work_that_swallows_its_cancellation_holds_no_end_up() -> None:
    background = Background(Metrics())
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    background.start("swallows", work, every_s=1000)
    await begun.wait()
    await asyncio.wait_for(background.stop(), WAIT_S)
