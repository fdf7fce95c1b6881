"""Fixtures for every test: a real Valkey from the wheel, started once per session and emptied for each test."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as StoreConnectionError

from bot.mailbox import Claim, Effect, Incoming, Lane, Mailbox, MailboxSettings, PutResult, Token
from bot.mailbox.functions import Sender
from bot.store import Role, StorePlaces, connect, server_command, server_program
from webhooks.messages import Person, StatusKind

STARTS_WITHIN_S = 20.0


@pytest.fixture(scope="session")
def store_places_for_tests() -> Iterator[StorePlaces]:
    """A running Valkey that answers on a unix socket. It does not sync its log: no test pulls the plug here."""
    with tempfile.TemporaryDirectory(prefix="recado-") as name:
        places = StorePlaces(folder=Path(name), socket=Path(name) / "s")
        command = server_command(server_program(), places, fsync="no")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            try:
                await_answer(places)
                yield places
            finally:
                server.kill()
                server.wait()


def await_answer(places: StorePlaces) -> None:
    """Return once the server answers."""
    with BlockingRedis(unix_socket_path=str(places.socket), protocol=2) as probe:
        ends = time.monotonic() + STARTS_WITHIN_S
        while True:
            try:
                probe.ping()
            except StoreConnectionError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.01)
            else:
                return


@pytest.fixture
def store_url(store_places_for_tests: StorePlaces) -> str:
    """The URL of the session's Valkey, emptied."""
    with BlockingRedis(unix_socket_path=str(store_places_for_tests.socket), protocol=2) as client:
        client.flushall()
        client.function_flush()
    return store_places_for_tests.url


@pytest.fixture
async def redis(store_url: str) -> AsyncIterator[Redis]:
    """An asyncio client of the emptied store."""
    client = connect(store_url, Role.WORKER)
    try:
        yield client
    finally:
        await client.aclose()


class Box:
    """A mailbox with few words: every burst is due at once and every retry runs at once, unless told otherwise."""

    def __init__(self, redis: Redis, sender: Sender | None = None, **settings: int) -> None:
        numbers = {"quiet_ms": 0, "burst_max_ms": 0, "retry_base_ms": 0} | settings
        self.redis = redis
        self.mailbox = Mailbox(redis, secret=b"test", settings=MailboxSettings(**numbers), sender=sender)
        self.at_ms = time.time_ns() // 1_000_000 - 60_000

    def incoming(self, name: str, **changes: Any) -> Incoming:
        """A message called `name` that says its name, a second later than the one before."""
        self.at_ms += 1000
        fields: dict[str, Any] = {
            "channel": "whatsapp",
            "endpoint_id": "100",
            "message_id": f"wamid.{name}",
            "person": Person(phone="5511900000001"),
            "at_ms": self.at_ms,
            "payload": name.encode(),
            "lane": Lane.VOICE,
            "effect": Effect.MESSAGE,
        }
        return Incoming(**fields | changes)

    async def put(self, name: str, **changes: Any) -> PutResult:
        """Put one message."""
        return await self.mailbox.put(self.incoming(name, **changes))

    async def command(self, name: str, effect: Effect = Effect.COMMAND, **changes: Any) -> PutResult:
        """Put one command."""
        return await self.put(name, effect=effect, lane=Lane.FAST, **changes)

    async def take(self, lane: Lane = Lane.VOICE, consumer: str = "worker-1") -> Token | None:
        """The next token of a lane, if there is one now."""
        tokens = await self.mailbox.take(lane, consumer, count=1, block_ms=0)
        return tokens[0] if tokens else None

    async def claim(self, lane: Lane = Lane.VOICE, consumer: str = "worker-1") -> Claim | None:
        """The next turn of a lane, if there is one now."""
        token = await self.take(lane, consumer)
        return await self.mailbox.claim(token) if token else None

    async def claimed(self, lane: Lane = Lane.VOICE, consumer: str = "worker-1") -> Claim:
        """The next turn of a lane, which must be there."""
        claim = await self.claim(lane, consumer)
        assert claim is not None, "no turn was there to claim"
        return claim

    async def recovered(self, consumer: str = "worker-2") -> Claim | None:
        """What a second worker takes over when the first is gone."""
        tokens = await self.mailbox.recover(consumer, min_idle_ms=0, count=10)
        claims = [await self.mailbox.claim(token, recovered=True) for token in tokens]
        return claims[0] if claims else None

    async def done(self, claim: Claim) -> None:
        """Answer a turn."""
        await self.mailbox.done(claim.lease, b"answered", "answered")

    async def receipt(self, claim: Claim, status: StatusKind, *, part: str = "0:1", **changes: Any) -> bool:
        """A receipt for one part of a turn."""
        fields: dict[str, Any] = {
            "endpoint_id": "100",
            "callback_data": f"{claim.lease.turn_id}:{part}",
            "status": status,
            "at_ms": self.at_ms,
            "message_id": "wamid.sent",
        }
        return await self.mailbox.receipt(**fields | changes)

    async def media_failed(self, claim: Claim, *, part: str = "0:1") -> bool:
        """The receipt of a voice note that the channel could not use after all."""
        return await self.receipt(claim, StatusKind.FAILED, part=part, fault_code=131053, curable=True)


MakeBox = Callable[..., Box]


@pytest.fixture
async def box(redis: Redis) -> Box:
    """An empty mailbox on the session's Valkey."""
    box = Box(redis)
    await box.mailbox.prepare()
    return box


@pytest.fixture
def make_box(redis: Redis) -> MakeBox:
    """Makes mailboxes with other settings on the same store."""
    return partial(Box, redis)


@pytest.fixture(scope="session")
def tiny_qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny Qwen3-TTS checkpoints: base, custom_voice and voice_design."""
    pytest.importorskip("torch", reason="needs the extra gpu").set_num_threads(1)
    pytest.importorskip("accelerate", reason="needs the extra gpu")
    from tests.tiny import qwen3

    folder = tmp_path_factory.mktemp("models") / "tiny-qwen3"
    for kind in qwen3.KINDS:
        qwen3.build(folder / kind, kind)
    return folder


@pytest.fixture(scope="session")
def tiny_xtts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a tiny XTTS v2 checkpoint; engines that load it in the session have its narrow decoder."""
    pytest.importorskip("torch", reason="needs the extra xtts").set_num_threads(1)
    from tests.tiny.xtts import build, narrow_decoder

    folder = build(tmp_path_factory.mktemp("models") / "tiny-xtts")
    with narrow_decoder():
        yield folder


@pytest.fixture(scope="session")
def tiny_bark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny Bark checkpoint."""
    pytest.importorskip("torch", reason="needs the extra bark").set_num_threads(1)
    pytest.importorskip("transformers", reason="needs the extra bark")
    from tests.tiny.bark import build

    return build(tmp_path_factory.mktemp("models") / "tiny-bark")
