"""Brings turns to the service: takes tokens from the mailbox and runs their claims.

It takes tokens only while it has room, renews its leases, takes over what dead workers left behind, runs suspects
alone, and when drained finishes what it can and hands the rest back. Knows no engine and no channel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from bot.mailbox import Claim, Lane, Lease, LeaseLost, Mailbox, MailboxError, Token
from bot.metrics import Metrics
from bot.service import TurnService

log = structlog.get_logger()

TAKE_BLOCK_MS = 1000
PUMP_LIMIT = 200
PUMP_IDLE_S = 0.25
STORE_RETRY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchLimits:
    """`slots` turns at once in the voice lane, `fast_slots` beside them for commands. Seconds."""

    slots: int
    fast_slots: int = 8
    lease_s: float
    drain_s: float


class Dispatcher:
    """Runs until `stop`; everything it needs is handed in."""

    def __init__(
        self,
        mailbox: Mailbox,
        service: TurnService,
        *,
        consumer: str,
        limits: DispatchLimits,
        metrics: Metrics,
    ) -> None:
        self._mailbox = mailbox
        self._service = service
        self._consumer = consumer
        self._limits = limits
        self._metrics = metrics
        self._room = {
            Lane.VOICE: asyncio.Semaphore(limits.slots),
            Lane.FAST: asyncio.Semaphore(limits.fast_slots),
        }
        self._active: dict[Lease, asyncio.Task[None]] = {}
        self._open = asyncio.Event()  # cleared while a suspect waits for its run alone
        self._open.set()
        self._suspects: asyncio.Queue[Claim] = asyncio.Queue()
        self._waiting_suspects: dict[Lease, None] = {}
        self._loops: list[asyncio.Task[None]] = []

    @property
    def active(self) -> int:
        """Turns in work."""
        return len(self._active)

    async def start(self) -> None:
        """Begin to take work."""
        loops: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "pump": self._pump,
            "take voice": lambda: self._take(Lane.VOICE),
            "take fast": lambda: self._take(Lane.FAST),
            "recover": self._recover,
            "renew": self._renew,
            "suspects": self._run_suspects,
            "hear": self._hear,
        }
        self._loops = [asyncio.create_task(self._forever(name, body), name=name) for name, body in loops.items()]

    async def drain(self) -> None:
        """Take nothing more, finish for up to `drain_s`, hand the rest back. Leases are renewed meanwhile."""
        keep = {"renew"}
        stopped = [task for task in self._loops if task.get_name() not in keep]
        for task in stopped:
            task.cancel()
        await asyncio.gather(*stopped, return_exceptions=True)
        if self._active:
            log.info("draining", active=self.active)
            await asyncio.wait(self._active.values(), timeout=self._limits.drain_s)
        left = list(self._active.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for task in self._loops:
            task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        log.info("drained", handed_back=len(left))

    async def _forever(self, name: str, body: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run one round after the other; an unreachable store is waited for, not died of."""
        while True:
            try:
                await body()
            except MailboxError as error:
                log.warning("the store does not answer", loop=name, error=str(error))
                await asyncio.sleep(STORE_RETRY_S)
            except Exception:
                log.exception("a loop failed and goes on", loop=name)
                self._metrics.errors.labels("UNKNOWN").inc()
                await asyncio.sleep(STORE_RETRY_S)

    async def _pump(self) -> None:
        next_due_s = await self._mailbox.pump(PUMP_LIMIT)
        await asyncio.sleep(PUMP_IDLE_S if next_due_s is None else min(PUMP_IDLE_S, max(0.005, next_due_s)))

    async def _take(self, lane: Lane) -> None:
        await self._open.wait()
        room = self._room[lane]
        await room.acquire()
        try:
            tokens = await self._mailbox.take(lane, self._consumer, count=1, block_ms=TAKE_BLOCK_MS)
        except BaseException:
            room.release()
            raise
        if not tokens:
            room.release()
            return
        await self._claim(tokens[0], room, recovered=False)

    async def _claim(self, token: Token, room: asyncio.Semaphore, *, recovered: bool) -> None:
        try:
            await self._open.wait()  # a token taken just before a quarantine began waits unclaimed
            claim = await self._mailbox.claim(token, recovered=recovered)
        except BaseException:
            room.release()
            raise
        if claim is None:
            room.release()
        elif claim.suspect:
            room.release()
            self._waiting_suspects[claim.lease] = None
            self._suspects.put_nowait(claim)
        else:
            self._begin(claim, room)

    def _begin(self, claim: Claim, room: asyncio.Semaphore) -> None:
        task = asyncio.create_task(self._service.handle(claim), name=f"turn {claim.lease.turn_id}")
        self._active[claim.lease] = task

        def ended(_task: asyncio.Task[None]) -> None:
            self._active.pop(claim.lease, None)
            room.release()

        task.add_done_callback(ended)

    async def _recover(self) -> None:
        room = self._room[Lane.VOICE]
        while True:  # one at a time, and only with room for it: what waits unclaimed is not renewed
            await room.acquire()
            tokens = await self._mailbox.recover(self._consumer, min_idle_ms=int(self._limits.lease_s * 1000), count=1)
            if not tokens:
                room.release()
                break
            log.warning("taking over a turn whose worker is gone")
            await self._claim(tokens[0], room, recovered=True)
        await asyncio.sleep(self._limits.lease_s / 6)

    async def _renew(self) -> None:
        held = [*self._active, *self._waiting_suspects]
        if held:
            for lost in await self._mailbox.renew(held):
                log.warning("a lease was lost", turn=lost.turn_id)
                task = self._active.get(lost)
                if task is not None:
                    task.cancel()
        await asyncio.sleep(self._limits.lease_s / 4)

    async def _run_suspects(self) -> None:
        """One suspect after the other, each alone: what kills the process must not take its neighbours along."""
        claim = await self._suspects.get()
        self._open.clear()
        try:
            if self._active:
                await asyncio.wait(self._active.values())
            log.warning("running a suspect alone", turn=claim.lease.turn_id)
            await self._mailbox.begin_alone(claim.lease)
            task = asyncio.create_task(self._service.handle(claim))
            self._active[claim.lease] = task
            await asyncio.wait({task})
        except LeaseLost:
            log.warning("a suspect went to another worker", turn=claim.lease.turn_id)
        finally:
            self._active.pop(claim.lease, None)
            self._waiting_suspects.pop(claim.lease, None)
            if self._suspects.empty():
                self._open.set()

    async def _hear(self) -> None:
        """Transcribe voice notes while their burst still waits, so that the turn finds them heard."""
        heard = await self._mailbox.next_media(self._consumer, block_ms=TAKE_BLOCK_MS)
        if heard is not None:
            await self._service.hear_ahead(heard)
