"""Workers and the store are killed at random while messages come: nothing is lost, doubled or out of order."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.mailbox import Effect, Incoming, Lane, Mailbox, MailboxSettings, StoreUnavailable
from bot.store import Role, StorePlaces, connect, server_command, server_program
from tests.conftest import await_answer
from webhooks.messages import Person

CONVERSATIONS = 12
MESSAGES = 12
WORKERS = 3
WORKER_KILLS = 6
STORE_KILLS = 2
ENDS_WITHIN_S = 60.0
WORKER = Path(__file__).with_name("mailbox_worker.py")


class House:
    """The processes under attack: a store that syncs every write, and workers."""

    def __init__(self, folder: Path) -> None:
        self.places = StorePlaces(folder=folder, socket=folder / "s")
        self.answers = folder / "answers"
        self.answers.touch()
        self.workers: list[subprocess.Popen[bytes]] = []
        self.started = 0
        self.store = self.start_store()

    def start_store(self) -> subprocess.Popen[bytes]:
        store = subprocess.Popen(server_command(server_program(), self.places), stdout=subprocess.DEVNULL)
        await_answer(self.places)
        return store

    def start_worker(self) -> None:
        self.started += 1
        command = [sys.executable, str(WORKER), self.places.url, str(self.answers), f"worker-{self.started}"]
        self.workers.append(subprocess.Popen(command, cwd=Path.cwd()))

    def kill_worker(self) -> None:
        worker = self.workers.pop(random.randrange(len(self.workers)))
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    def kill_store(self) -> None:
        self.store.kill()
        self.store.wait()
        self.store = self.start_store()

    def replace_the_dead(self) -> None:
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < WORKERS:
            self.start_worker()

    def close(self) -> None:
        for process in (*self.workers, self.store):
            process.kill()
            process.wait()


@pytest.fixture
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="recado-") as name:
        house = House(Path(name))
        try:
            yield house
        finally:
            house.close()


async def deliver(mailbox: Mailbox, incoming: Incoming) -> None:
    """As the channel does: again and again until it is taken."""
    while True:
        try:
            await mailbox.put(incoming)
        except StoreUnavailable:
            await asyncio.sleep(0.05)
        else:
            return


def message(conversation: int, number: int, payload: bytes) -> Incoming:
    command = number % 7 == 3
    return Incoming(
        channel="whatsapp",
        endpoint_id=f"{conversation}",
        message_id=f"wamid.{conversation}.{number}",
        person=Person(phone="5511900000001"),
        at_ms=time.time_ns() // 1_000_000,
        payload=payload,
        lane=Lane.FAST if command else Lane.VOICE,
        effect=Effect.COMMAND if command else Effect.MESSAGE,
    )


async def attack(house: House) -> None:
    """Kill workers and the store, at random moments, and replace what died."""
    kills = ["worker"] * WORKER_KILLS + ["store"] * STORE_KILLS
    random.shuffle(kills)
    for kill in kills:
        await asyncio.sleep(random.uniform(0.2, 0.7))
        house.replace_the_dead()
        await asyncio.to_thread(house.kill_worker if kill == "worker" else house.kill_store)


@pytest.mark.chaos
async def test_no_message_is_lost_doubled_or_out_of_order_when_everything_is_killed(house: House) -> None:
    redis = connect(house.places.url, Role.WORKER)
    mailbox = Mailbox(redis, secret=b"chaos", settings=MailboxSettings(quiet_ms=20, burst_max_ms=50))
    house.replace_the_dead()
    attacking = asyncio.create_task(attack(house))
    for number in range(MESSAGES):
        for conversation in range(CONVERSATIONS):
            await deliver(mailbox, message(conversation, number, f"{conversation}.{number}".encode()))
        await asyncio.sleep(random.uniform(0.1, 0.4))
    await deliver(mailbox, message(CONVERSATIONS, 0, b"poison"))
    await attacking
    await come_to_rest(house, mailbox)
    await redis.aclose()

    answered = [line.split()[1:] for line in house.answers.read_text().splitlines()]
    for conversation in range(CONVERSATIONS):
        bodies = [body for endpoint, *bodies in answered if endpoint == f"{conversation}" for body in bodies]
        assert bodies == [f"{conversation}.{number}" for number in range(MESSAGES)]


async def come_to_rest(house: House, mailbox: Mailbox) -> None:
    """Return when nothing is left to do; only the poison may have died, alone."""
    ends = time.monotonic() + ENDS_WITHIN_S
    while (await mailbox.depth()).conversations:
        assert time.monotonic() < ends, f"never came to rest: {await mailbox.depth()}"
        house.replace_the_dead()
        await asyncio.sleep(0.1)
    letters = [await mailbox.turn(letter.turn_id) for letter in await mailbox.dead_letters()]
    assert [(letter.payloads, letter.reason) for letter in letters if letter] == [((b"poison",), "CRASHED")]
