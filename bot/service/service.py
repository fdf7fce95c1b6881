"""Takes claims and brings each to its end, or to the next moment it can go on.

Whatever is unexpected ends at `TurnService.handle`: it is logged with the turn's id and costs the turn one attempt,
never its neighbours. A store that does not answer costs nothing but time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from bot.mailbox import DRAINING, Claim, LeaseLost, MailboxError, MediaTask
from bot.service.dependencies import Dependencies
from bot.service.pauses import STORE_RETRY_S, TryAgain, patiently, store_is_away
from bot.service.run import Run
from bot.turn import Outcome
from bot.wire import Unreadable, dump_heard, load_message
from tts.errors import TtsError
from webhooks.contract import ChannelError

log = structlog.get_logger()

T = TypeVar("T")


class TurnService:
    """Works on claims, any number at once."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._d = dependencies

    async def handle(self, claim: Claim) -> None:
        """Work on one claim until it is done, waits, fails or is someone else's. Never raises but on cancellation."""
        with structlog.contextvars.bound_contextvars(turn=claim.lease.turn_id):
            self._d.metrics.active.inc()
            try:
                await self._work(claim)
            except LeaseLost:
                log.warning("the lease went to another worker")
            finally:
                self._d.metrics.active.dec()

    async def hand_back(self, claim: Claim) -> None:
        """Give a claim back untouched, for another worker to begin."""
        with contextlib.suppress(LeaseLost, Unreadable):
            await Run(self._d, claim).hand_back(0, DRAINING)

    async def hear_ahead(self, task: MediaTask) -> None:
        """Transcribe a voice note while its burst still waits. Best effort: what fails here is heard in its turn."""
        try:
            heard = await self._d.ears.hear(load_message(task.payload))
        except (ChannelError, TtsError) as error:
            log.info("a voice note was not heard ahead", error=type(error).__name__)
        else:
            await self._d.mailbox.note_transcript(task, dump_heard(heard))

    async def _work(self, claim: Claim) -> None:
        run: Run | None = None
        try:
            run = Run(self._d, claim)
            await run.go()
        except LeaseLost:
            raise
        except asyncio.CancelledError:
            # draining: hand back without using up an attempt; a send under way is ambiguous to the next owner
            if run is not None:
                with contextlib.suppress(MailboxError):
                    await asyncio.shield(run.hand_back(0, DRAINING))
            raise
        except TryAgain as refusal:
            await self._failed(claim, run, str(refusal))
        except Exception as error:
            if run is not None and store_is_away(error):
                await self._patiently(lambda: run.hand_back(STORE_RETRY_S, "store outage"))
                return
            log.error("the turn failed", error=type(error).__name__, exc_info=error)
            self._d.metrics.errors.labels("UNKNOWN").inc()
            await self._failed(claim, run, f"error: {type(error).__name__}")

    async def _failed(self, claim: Claim, run: Run | None, reason: str) -> None:
        record = run.bytes() if run is not None else claim.record or b""
        if await self._patiently(lambda: self._d.mailbox.fail(claim.lease, record, reason)):
            self._d.metrics.alerts.labels("dead_letter").inc()
            self._d.metrics.turns.labels(Outcome.DEAD, "attempts").inc()
            if run is not None:
                await self._patiently(run.died)

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        return await patiently(call, sleep=self._d.sleep)
