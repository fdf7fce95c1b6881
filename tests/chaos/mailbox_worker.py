"""A worker for the chaos test: answers by appending lines to a file, fails at random, dies of poison.

Usage: python mailbox_worker.py STORE_URL ANSWERS_FILE NAME
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

from bot.mailbox import (
    Claim,
    Lane,
    Lease,
    LeaseLost,
    Mailbox,
    MailboxSettings,
    StoreUnavailable,
    Token,
    TurnCancelled,
)
from bot.store import Role, connect

SLOTS = 4
LEASE_MS = 600
SETTINGS = MailboxSettings(quiet_ms=20, burst_max_ms=50, retry_base_ms=10, max_attempts=50)
FAIL_SHARE = 0.15


class Worker:
    """Takes tokens while it has room; runs suspects when nothing else runs."""

    def __init__(self, mailbox: Mailbox, answers: Path, name: str) -> None:
        self.mailbox = mailbox
        self.answers = answers
        self.name = name
        self.room = asyncio.Semaphore(SLOTS)
        self.alone = asyncio.Lock()
        self.held: dict[Lease, None] = {}

    async def forever(self, *loops: str) -> None:
        async with asyncio.TaskGroup() as tasks:
            for loop in loops:
                tasks.create_task(self.repeat(loop))

    async def repeat(self, loop: str) -> None:
        while True:
            try:
                await getattr(self, loop)()
            except StoreUnavailable:
                await asyncio.sleep(0.05)

    async def pump(self) -> None:
        await self.mailbox.pump()
        await asyncio.sleep(0.01)

    async def renew(self) -> None:
        await self.mailbox.renew(self.held)
        await asyncio.sleep(LEASE_MS / 4000)

    async def recover(self) -> None:
        for token in await self.mailbox.recover(self.name, min_idle_ms=LEASE_MS, count=2):
            await self.work(token, recovered=True)
        await asyncio.sleep(LEASE_MS / 4000)

    async def voice(self) -> None:
        for token in await self.mailbox.take(Lane.VOICE, self.name, count=1, block_ms=100):
            await self.work(token, recovered=False)

    async def fast(self) -> None:
        for token in await self.mailbox.take(Lane.FAST, self.name, count=1, block_ms=100):
            await self.work(token, recovered=False)

    async def work(self, token: Token, *, recovered: bool) -> None:
        claim = await self.mailbox.claim(token, recovered=recovered)
        if claim is None:
            return
        self.held[claim.lease] = None
        try:
            if claim.suspect:
                async with self.alone:
                    for _ in range(SLOTS):
                        await self.room.acquire()
                    try:
                        await self.mailbox.begin_suspect(claim.lease)
                        await self.answer(claim)
                    finally:
                        for _ in range(SLOTS):
                            self.room.release()
            else:
                async with self.room:
                    await self.answer(claim)
        except (LeaseLost, TurnCancelled):
            pass
        finally:
            del self.held[claim.lease]

    async def answer(self, claim: Claim) -> None:
        if b"poison" in claim.payloads:
            os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.sleep(random.uniform(0, 0.02))
        if random.random() < FAIL_SHARE:
            await self.mailbox.fail(claim.lease, claim.record or b"", "bad luck")
            return
        if not self.was_sent(claim):
            await self.mailbox.save(claim.lease, b"sending", sending=True)
            self.send(claim)
        await self.mailbox.save(claim.lease, b"sent")
        await self.mailbox.done(claim.lease, b"sent", "answered")

    def was_sent(self, claim: Claim) -> bool:
        """What receipts tell the real worker: whether a send that may have happened did."""
        return claim.record in {b"sending", b"sent"} and f"{claim.lease.turn_id} " in self.answers.read_text()

    def send(self, claim: Claim) -> None:
        line = f"{claim.lease.turn_id} {claim.endpoint_id} {' '.join(body.decode() for body in claim.payloads)}\n"
        with self.answers.open("ab", buffering=0) as file:
            file.write(line.encode())


async def main() -> None:
    url, answers, name = sys.argv[1:]
    mailbox = Mailbox(connect(url, Role.WORKER), secret=b"chaos", settings=SETTINGS)
    await Worker(mailbox, Path(answers), name).forever("pump", "renew", "recover", "voice", "fast", "voice", "fast")


asyncio.run(main())
