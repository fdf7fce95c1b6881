"""Brings turns to the service: takes tokens from the mailbox and runs their claims.

It takes tokens only while it has room, renews its leases, takes over what dead workers left behind, runs suspects
apart, and when drained finishes what it can and hands the rest back. Knows no engine and no channel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from bot.mailbox import Claim, Lane, Lease, LeaseLost, Mailbox, MailboxError, StoreUnavailable, Token, TurnCancelled
from bot.metrics import Metrics
from bot.service import TurnService
from bot.stopping import all_done, end_tasks

log = structlog.get_logger()

T = TypeVar("T")

TAKE_BLOCK_MS = 1000
PUMP_LIMIT = 200
PUMP_IDLE_S = 0.25
RENEW = "renew"  # the loop that goes on while the others are drained
STORE_RETRY_S = 1.0
SUSPECTS_TOGETHER = 8  # one crash more than alone when one of them is to blame, and an eighth of the time when none is
LOOK_S = 1.0  # for what dead workers left behind


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchLimits:
    """`slots` turns at once in the voice lane, `fast_slots` beside them for commands. Seconds."""

    slots: int
    fast_slots: int = 8
    lease_s: float
    drain_s: float


class Dispatcher:
    """Runs from `start` to `drain`. `release_dead` is called before each look for what dead workers left behind."""

    def __init__(
        self,
        mailbox: Mailbox,
        service: TurnService,
        *,
        consumer: str,
        limits: DispatchLimits,
        metrics: Metrics,
        release_dead: Callable[[], Awaitable[None]],
    ) -> None:
        self._mailbox = mailbox
        self._release_dead = release_dead
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
        self._claiming = asyncio.Lock()  # held for each claim, and by a suspect for as long as it runs
        self._taking_over = asyncio.Lock()
        self._being_claimed: set[str] = set()
        self._delivery_lost: set[Lane] = set()  # lanes of which a read broke off
        self._suspects: asyncio.Queue[Claim] = asyncio.Queue()
        self._waiting_suspects: dict[Lease, Claim] = {}
        self._steps: set[asyncio.Task[Any]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._draining = False
        self._drained = False

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
            RENEW: self._renew,
            "suspects": self._run_suspects,
            "hear": self._hear,
        }
        self._loops = [asyncio.create_task(self._forever(name, body), name=name) for name, body in loops.items()]

    async def drain(self, *, hurry: asyncio.Event | None = None) -> None:
        """Take nothing more, finish for up to `drain_s` or until `hurry` is set, hand the rest back.

        Leases are renewed meanwhile.
        """
        self._draining = True
        stopped = [task for task in self._loops if task.get_name() != RENEW]
        await end_tasks(stopped)
        await asyncio.gather(*self._steps, return_exceptions=True)
        if self._active:
            log.info("draining", active=self.active)
            hurry = hurry or asyncio.Event()
            await all_done(set(self._active.values()), within_s=self._limits.drain_s, hurry=hurry)
        left = list(self._active.values())
        for task in left:
            task.cancel()
        unbegun = [self._service.hand_back(claim) for claim in self._waiting_suspects.values()]
        await asyncio.gather(*left, *unbegun, return_exceptions=True)
        self._drained = True
        await end_tasks(self._loops)
        log.info("drained", handed_back=len(left) + len(unbegun))

    async def _forever(self, name: str, body: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run one round after the other; an unreachable store is waited for, not died of.

        A round that swallowed its cancellation (a blocking read may) is the last one all the same.
        """
        while not (self._drained if name == RENEW else self._draining):
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
        await self._whole(self._take_one(lane, room))

    async def _whole(self, step: Coroutine[Any, Any, T]) -> T:
        """Run a step that a drain must not tear: what was taken would be nobody's until its lease has run out."""
        task = asyncio.create_task(step)
        self._steps.add(task)
        task.add_done_callback(self._steps.discard)
        return await asyncio.shield(task)

    async def _take_one(self, lane: Lane, room: asyncio.Semaphore) -> None:
        try:
            token = await self._next_token(lane)
        except BaseException:
            self._delivery_lost.add(lane)
            room.release()
            raise
        if token is not None:
            await self._claim(token, room, recovered=False)
        else:
            room.release()

    async def _next_token(self, lane: Lane) -> Token | None:
        """A token of the lane; after an outage first those that were given to us and never arrived."""
        if lane in self._delivery_lost:
            known = {lease.token_id for lease in (*self._active, *self._waiting_suspects)} | self._being_claimed
            lost = await self._mailbox.taken_before(lane, self._consumer, known=known)
            if lost:
                log.warning("token found whose delivery was lost", lane=lane)
                return lost[0]
            self._delivery_lost.discard(lane)
        tokens = await self._mailbox.take(lane, self._consumer, count=1, block_ms=TAKE_BLOCK_MS)
        return tokens[0] if tokens else None

    async def _claim(self, token: Token, room: asyncio.Semaphore, *, recovered: bool) -> None:
        """Claim and begin, or put a suspect aside; a token taken just before a quarantine waits for its end."""
        begun = False
        self._being_claimed.add(token.token_id)
        try:
            async with self._claiming:
                claim = await self._claimed(token, recovered=recovered)
                if claim is None:
                    return
                if self._draining:
                    await self._service.hand_back(claim)
                elif claim.suspect:
                    self._waiting_suspects[claim.lease] = claim
                    self._suspects.put_nowait(claim)
                else:
                    self._begin(claim).add_done_callback(lambda _task: room.release())
                    begun = True
        finally:
            self._being_claimed.discard(token.token_id)
            if not begun:
                room.release()

    async def _claimed(self, token: Token, *, recovered: bool) -> Claim | None:
        """What the token stands for; asked again through an outage, or its turn would wait until the lease runs out."""
        while True:
            try:
                return await self._mailbox.claim(token, recovered=recovered)
            except StoreUnavailable as error:
                if self._draining:
                    raise
                log.warning("the store does not answer", loop="claim", error=str(error))
                await asyncio.sleep(STORE_RETRY_S)

    def _begin(self, claim: Claim) -> asyncio.Task[None]:
        task = asyncio.create_task(self._service.handle(claim), name=f"turn {claim.lease.turn_id}")
        self._active[claim.lease] = task
        task.add_done_callback(lambda _task: self._active.pop(claim.lease, None))
        return task

    async def _recover(self) -> None:
        await self._renew_held()  # after an outage our own leases look as idle as those of the dead
        await self._release_dead()
        await self._open.wait()
        await self._take_over()
        await asyncio.sleep(min(LOOK_S, self._limits.lease_s / 6))

    async def _take_over(self) -> None:
        """Take over all that nobody holds; each with room for it, for what waits unclaimed is not renewed."""
        room = self._room[Lane.VOICE]
        async with self._taking_over:
            while True:
                await room.acquire()
                if not await self._whole(self._recover_one(room)):
                    return

    async def _recover_one(self, room: asyncio.Semaphore) -> bool:
        try:
            tokens = await self._mailbox.recover(self._consumer, min_idle_ms=int(self._limits.lease_s * 1000), count=1)
        except BaseException:
            room.release()
            raise
        if not tokens:
            room.release()
            return False
        log.warning("taking over a turn whose worker is gone")
        await self._claim(tokens[0], room, recovered=True)
        return True

    async def _renew(self) -> None:
        await self._renew_held()
        await asyncio.sleep(self._limits.lease_s / 4)

    async def _renew_held(self) -> None:
        for lost in await self._mailbox.renew([*self._active, *self._waiting_suspects]):
            log.warning("a lease was lost", turn=lost.turn_id)
            task = self._active.get(lost)
            if task is not None:
                task.cancel()

    async def _run_suspects(self) -> None:
        """Run the next suspects apart from all that is none: what kills the process must not take others along.

        Nearly always a crash had another cause, so several run together first; should that crash too, each of them runs
        alone the next time, and only then a crash counts.
        """
        first = await self._suspects.get()
        await self._take_over()  # what else the dead worker left: they are suspects together
        self._open.clear()
        try:
            async with self._claiming:
                if self._active:
                    await asyncio.wait(self._active.values())
                await self._run_apart(self._group(first))
        finally:
            if self._suspects.empty():
                self._open.set()

    def _group(self, first: Claim) -> list[Claim]:
        """The suspects to run together: `first` alone if it has to be, else with others that need not be."""
        group, later = [first], list[Claim]()
        while not first.single and len(group) < SUSPECTS_TOGETHER and not self._suspects.empty():
            claim = self._suspects.get_nowait()
            (later if claim.single else group).append(claim)
        for claim in later:
            self._suspects.put_nowait(claim)
        return group

    async def _run_apart(self, group: list[Claim]) -> None:
        tasks = set[asyncio.Task[None]]()
        for number, claim in enumerate(group):
            try:
                await self._mailbox.begin_suspect(claim.lease, others=len(group) - 1)
            except (LeaseLost, TurnCancelled):
                del self._waiting_suspects[claim.lease]
                log.warning("suspect lost or cancelled", turn=claim.lease.turn_id)
                continue
            except MailboxError:
                for waiting in group[number:]:
                    self._suspects.put_nowait(waiting)
                if tasks:
                    await asyncio.wait(tasks)
                raise
            log.warning("running a suspect", turn=claim.lease.turn_id, others=len(group) - 1)
            tasks.add(self._begin(claim))
            del self._waiting_suspects[claim.lease]
        if tasks:
            await asyncio.wait(tasks)

    async def _hear(self) -> None:
        """Transcribe voice notes while their burst still waits, so that the turn finds them heard."""
        heard = await self._mailbox.next_media(self._consumer, block_ms=TAKE_BLOCK_MS)
        if heard is not None:
            await self._service.hear_ahead(heard)
