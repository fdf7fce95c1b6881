"""Brings webhooks to the receiver the way Meta does: signed, retried with backoff, the same bytes every time.

It counts what happened and keeps the last bodies for the developer drawer. It knows no people and no Graph requests.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass, replace

import aiohttp
import structlog

from webhooks.emulator.config import EmulatorConfig
from webhooks.emulator.faults import Fault, FaultDesk, Operation
from webhooks.emulator.payloads import Item, envelope, sign, wamids

log = structlog.get_logger()

HOLD_S = 3.0
KEPT_DELIVERIES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One webhook and how it fared; `http_status` is None while nobody answered."""

    number: int
    kinds: tuple[str, ...]
    wamids: tuple[str, ...]
    body: bytes
    attempts: int = 0
    http_status: int | None = None
    error: str | None = None
    elapsed_ms: float = 0.0
    state: str = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What the receiver made of the webhooks so far."""

    posted: int = 0
    acknowledged: int = 0
    retried: int = 0
    given_up: int = 0
    slow: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """The outcome of the verification request; `ok` is None until it has been tried."""

    ok: bool | None = None
    detail: str = ""


class Courier:
    """Hands webhooks over once `start` gave it a session.

    `on_change` is called after every outcome, `on_ack` with the wamids that a 200 covered.
    """

    def __init__(
        self,
        config: EmulatorConfig,
        faults: FaultDesk,
        *,
        clock: Callable[[], float],
        on_ack: Callable[[Sequence[str]], None],
        on_change: Callable[[], None],
    ) -> None:
        self._config = config
        self._faults = faults
        self._clock = clock
        self._on_ack = on_ack
        self._on_change = on_change
        self._session: aiohttp.ClientSession
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: dict[Fault, list[Item]] = {Fault.BATCH: [], Fault.REORDER: []}
        self._posted = 0
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT_DELIVERIES)
        self.counters = Counters()
        self.handshake = Handshake()

    def start(self, session: aiohttp.ClientSession) -> None:
        """Begin work with this session, and verify the receiver as soon as it answers."""
        self._session = session
        self._keep(self._verify_until_up())

    def post(self, item: Item) -> None:
        """Send one update on its way, unless an armed fault holds it back for company or doubles it."""
        for fault in (Fault.BATCH, Fault.REORDER):
            if (setting := self._faults.take(fault, Operation.WEBHOOK)) is not None:
                self._hold(fault, item, last=setting.count == 1)
                return
        self._dispatch((item,))
        if self._faults.take(Fault.DUPLICATE, Operation.WEBHOOK):
            # Meta repeats an update in another envelope: the bytes differ, the wamid does not.
            self._dispatch((item,), entry_time_s=self._clock())

    def post_raw(self, body: bytes, *, signature: str | None = None) -> Delivery:
        """Send these very bytes, signed unless a signature is given (an empty one sends none)."""
        return self._launch(body, kinds=("raw",), ids=(), signature=signature)

    def release(self) -> None:
        """Send what faults hold back: a batch in one body, a reordered run last first."""
        batch, self._held[Fault.BATCH] = self._held[Fault.BATCH], []
        if batch:
            self._dispatch(batch)
        reordered, self._held[Fault.REORDER] = self._held[Fault.REORDER], []
        for item in reversed(reordered):
            self._dispatch((item,))

    async def verify(self) -> Handshake:
        """Play the verification handshake once and keep its outcome."""
        challenge = str(time.monotonic_ns())
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": self._config.verify_token}
        try:
            async with self._session.get(self._config.webhook_url, params=query) as response:
                answer = await response.text()
                ok = response.status == 200 and answer == challenge
                detail = "" if ok else f"HTTP {response.status}, and the answer is not the challenge"
        except (aiohttp.ClientError, TimeoutError) as error:
            ok, detail = False, type(error).__name__
        self.handshake = Handshake(ok=ok, detail=detail)
        self._on_change()
        return self.handshake

    async def close(self) -> None:
        """Stop every delivery that is still on its way."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Wait until nothing is on its way, held items included."""
        self.release()
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    def report(self) -> dict[str, object]:
        """Counters, handshake and the last deliveries, newest first, as JSON."""
        return {
            "webhook_url": self._config.webhook_url,
            "handshake": asdict(self.handshake),
            "counters": asdict(self.counters),
            "deliveries": [
                {**asdict(delivery), "body": delivery.body.decode(errors="replace")}
                for delivery in reversed(self.deliveries)
            ],
        }

    async def _verify_until_up(self) -> None:
        # The receiver may start after us.
        for wait_s in (*self._config.retry_schedule_s, None):
            if (await self.verify()).ok or wait_s is None:
                return
            await asyncio.sleep(wait_s)

    def _hold(self, fault: Fault, item: Item, *, last: bool) -> None:
        self._held[fault].append(item)
        if last:
            self.release()
        elif len(self._held[fault]) == 1:
            asyncio.get_running_loop().call_later(HOLD_S, self.release)

    def _dispatch(self, items: Sequence[Item], *, entry_time_s: float | None = None) -> None:
        kinds = tuple(item.kind for item in items)
        self._launch(envelope(items, entry_time_s=entry_time_s), kinds=kinds, ids=wamids(items), signature=None)

    def _launch(self, body: bytes, *, kinds: tuple[str, ...], ids: tuple[str, ...], signature: str | None) -> Delivery:
        self._posted += 1
        delivery = Delivery(number=self._posted, kinds=kinds, wamids=ids, body=body)
        self.deliveries.append(delivery)
        self._count(posted=1)
        header = sign(body, self._config.app_secret) if signature is None else signature
        self._keep(self._deliver(delivery, header))
        return delivery

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, delivery: Delivery, signature: str) -> None:
        for wait_s in (*self._config.retry_schedule_s, None):
            delivery = await self._attempt(delivery, signature)
            if delivery.http_status == 200:
                self._settle_delivery(delivery, "acknowledged")
                self._count(acknowledged=1, slow=int(delivery.elapsed_ms > 1000))
                self._on_ack(delivery.wamids)
                return
            if wait_s is None or delivery.kinds == ("raw",):
                break
            self._settle_delivery(delivery, "retrying")
            self._count(retried=1)
            await asyncio.sleep(wait_s)
        self._settle_delivery(delivery, "given up")
        self._count(given_up=1)
        log.warning("webhook given up", attempts=delivery.attempts, http_status=delivery.http_status)

    async def _attempt(self, delivery: Delivery, signature: str) -> Delivery:
        headers = {"Content-Type": "application/json", "User-Agent": "facebookexternalua"}
        if signature:
            headers["X-Hub-Signature-256"] = signature
        timeout = aiohttp.ClientTimeout(total=self._config.webhook_timeout_s)
        started_s = time.perf_counter()
        status: int | None = None
        problem: str | None = None
        try:
            async with self._session.post(
                self._config.webhook_url, data=delivery.body, headers=headers, timeout=timeout
            ) as response:
                status = response.status
                await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            problem = type(error).__name__
        elapsed_ms = round((time.perf_counter() - started_s) * 1000, 1)
        return replace(
            delivery, attempts=delivery.attempts + 1, http_status=status, error=problem, elapsed_ms=elapsed_ms
        )

    def _settle_delivery(self, delivery: Delivery, state: str) -> None:
        for index, kept in enumerate(self.deliveries):
            if kept.number == delivery.number:
                self.deliveries[index] = replace(delivery, state=state)
                break

    def _count(self, **more: int) -> None:
        self.counters = replace(
            self.counters, **{name: getattr(self.counters, name) + value for name, value in more.items()}
        )
        self._on_change()
