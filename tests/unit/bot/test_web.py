"""The web process over real sockets and a real store: what it takes, when it is ready, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from redis.asyncio import Redis
from structlog.testing import capture_logs

from bot.heartbeat import Heartbeats
from bot.installation import open_installation, opened_installation
from bot.logs import QuietAboutBadRequests
from bot.mailbox import Lane
from bot.mailbox.keys import key
from bot.persona_store import Personas
from bot.settings import Settings
from bot.store import Role, StorePlaces
from bot.web import build_app, run_web
from tests.household import personas
from tests.stack import free_port
from webhooks.messages import Person
from webhooks.recording import read_recording, recordings
from webhooks.whatsapp.routes import PATH
from webhooks.whatsapp.signature import SIGNATURE_HEADER, sign

FIXTURES = Path(__file__).parents[2] / "fixtures" / "whatsapp"
TEXT = (FIXTURES / "text.json").read_bytes()
NUMBER = "106540352242922"
WAIT_S = 20

MakeSettings = Callable[..., Settings]


@pytest.fixture
def settings(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeSettings:
    """Settings of an installation on the session's store, whatever the environment says."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)

    def make(**changes: Any) -> Settings:
        fields: dict[str, Any] = {
            "redis_url": store_url,
            "recado_data_dir": tmp_path,
            "whatsapp_app_secret": ("secret",),
            "whatsapp_verify_token": "token",
            "whatsapp_phone_number_id": (NUMBER,),
            "burst_quiet_s": 0,
            "burst_max_s": 0,
        }
        return Settings(_env_file=None, **fields | changes)

    return make


@dataclass
class Receiver:
    """The running application and its store."""

    client: TestClient[web.Request, web.Application]
    redis: Redis

    async def post(self, body: bytes = TEXT) -> int:
        async with self.client.post(PATH, data=body, headers={SIGNATURE_HEADER: sign(body, "secret")}) as answer:
            return answer.status

    async def get(self, path: str, **options: Any) -> tuple[int, str]:
        async with self.client.get(path, **options) as answer:
            return answer.status, await answer.text()

    async def waiting(self) -> int:
        """Conversations with something to answer."""
        return int(await self.redis.zcard(key("backlog")))


Start = Callable[..., Awaitable[Receiver]]


@pytest.fixture
async def start(settings: MakeSettings, redis: Redis) -> AsyncIterator[Start]:
    clients: list[TestClient[web.Request, web.Application]] = []

    async def begin(**changes: Any) -> Receiver:
        chosen = settings(**changes)
        installation = await open_installation(chosen, role=Role.RECEIVER)
        client = TestClient(TestServer(build_app(chosen, installation)))
        clients.append(client)
        await client.start_server()
        return Receiver(client=client, redis=redis)

    yield begin
    for client in clients:
        await client.close()


@pytest.fixture
async def receiver(start: Start) -> Receiver:
    return await start()


@pytest.fixture
async def refuse_writes(redis: Redis) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    """From the call on the store answers, and accepts no write."""
    yield lambda: redis.config_set("min-replicas-to-write", 1)
    await redis.config_set("min-replicas-to-write", 0)


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not await happened():  # noqa: ASYNC110 - what is waited for happens in other tasks and in the store
            await asyncio.sleep(0.005)


# -- receiving ------------------------------------------------------------------------------------------------------


async def test_a_signed_webhook_is_durable_when_it_is_acknowledged(receiver: Receiver) -> None:
    assert (await receiver.post(), await receiver.waiting()) == (200, 1)


async def test_a_redelivered_webhook_changes_nothing(receiver: Receiver) -> None:
    await receiver.post()
    await receiver.post()
    assert await receiver.redis.zcard(key("backlog")) == 1


async def test_a_wrongly_signed_webhook_changes_nothing(receiver: Receiver) -> None:
    async with receiver.client.post(PATH, data=TEXT, headers={SIGNATURE_HEADER: sign(TEXT, "other")}) as answer:
        assert (answer.status, await receiver.waiting()) == (403, 0)


async def test_messages_for_other_numbers_are_acknowledged_and_left_alone(start: Start) -> None:
    receiver = await start(whatsapp_phone_number_id=("999",))
    assert (await receiver.post(), await receiver.waiting()) == (200, 0)


async def test_the_handshake_is_answered_with_the_challenge(receiver: Receiver) -> None:
    query = {"hub.mode": "subscribe", "hub.verify_token": "token", "hub.challenge": "1158201444"}
    assert await receiver.get(PATH, params=query) == (200, "1158201444")


async def test_a_webhook_that_cannot_be_kept_is_not_acknowledged(
    receiver: Receiver, refuse_writes: Callable[[], Awaitable[Any]]
) -> None:
    await refuse_writes()
    assert await receiver.post() == 503


async def test_nothing_is_recorded_unless_it_is_asked_for(receiver: Receiver, tmp_path: Path) -> None:
    await receiver.post()
    assert not (tmp_path / "recordings").exists()


async def test_webhooks_are_recorded_where_it_is_asked_for(start: Start, tmp_path: Path) -> None:
    receiver = await start(webhook_recording_hours=24)
    await receiver.post()
    assert len(recorded(tmp_path)) == 1


async def test_the_names_of_stored_personas_are_commands(redis: Redis, start: Start) -> None:
    for persona in personas():
        await Personas(redis).put(persona)
    receiver = await start()
    words = TEXT.replace(b"Ol\\u00e1! Voc\\u00eas abrem no s\\u00e1bado? \\ud83d\\ude0a", b"falar com Theo")
    assert words != TEXT

    async def a_command() -> bool:
        number = await redis.incr("test:message")
        await receiver.post(words.replace(b"MjVB0001", b"MjVB%04d" % number).replace(b"OUVB0001", b"OUVB%04d" % number))
        return int(await redis.xlen(key("lane", Lane.FAST))) > 0

    await until(a_command)


# -- forgetting -----------------------------------------------------------------------------------------------------

PHONE = "5511987654321"


def recorded(folder: Path) -> list[bytes]:
    return [webhook.body for path in recordings(folder / "recordings") for webhook in read_recording(path)]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is owed to erasures is done without delay."""
    monkeypatch.setattr("bot.web.FORGET_AFTER_S", 0.0)
    monkeypatch.setattr("bot.web.FORGET_S", 0.01)


@pytest.fixture
def erase(settings: MakeSettings) -> Callable[[], Awaitable[None]]:
    """Erase whoever wrote, as a worker that ends as soon as the mailbox has done so."""

    async def begin() -> None:
        async with opened_installation(settings()) as worker:
            person = await worker.mailbox.find_person("whatsapp", Person(phone=PHONE))
            assert person is not None
            await worker.mailbox.erase(person.id)

    return begin


def in_the_log(places: StorePlaces) -> bool:
    for path in places.folder.rglob("*.aof"):
        with contextlib.suppress(FileNotFoundError):  # a log that is being rewritten changes its files
            if PHONE.encode() in path.read_bytes():
                return True
    return False


async def finished(redis: Redis, places: StorePlaces) -> bool:
    return await redis.scard(key("erasures")) == 0 and not in_the_log(places)


@pytest.mark.usefixtures("at_once")
async def test_whoever_is_erased_is_struck_from_the_recordings_and_the_stores_log(
    start: Start, erase: Callable[[], Awaitable[None]], tmp_path: Path, store_places_for_tests: StorePlaces
) -> None:
    receiver = await start(webhook_recording_hours=24)
    await receiver.post()
    assert (len(recorded(tmp_path)), in_the_log(store_places_for_tests)) == (1, True)
    await erase()
    await until(lambda: finished(receiver.redis, store_places_for_tests))
    assert recorded(tmp_path) == []


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("hours", [24, 0])
async def test_a_receiver_that_ended_strikes_when_it_starts_again_even_if_it_records_no_more(
    start: Start,
    erase: Callable[[], Awaitable[None]],
    tmp_path: Path,
    store_places_for_tests: StorePlaces,
    hours: int,
) -> None:
    first = await start(webhook_recording_hours=24)
    await first.post()
    await first.client.close()
    await erase()
    assert len(recorded(tmp_path)) == 1
    await start(webhook_recording_hours=hours)
    await until(lambda: finished(first.redis, store_places_for_tests))
    assert recorded(tmp_path) == []


# -- health, readiness, metrics -------------------------------------------------------------------------------------


async def test_it_is_ready_when_the_store_accepts_a_write(receiver: Receiver) -> None:
    async with receiver.client.get("/ready") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ready", "workers": []})


async def test_readiness_shows_the_workers_and_does_not_wait_for_them(receiver: Receiver) -> None:
    await Heartbeats(receiver.redis).beat("gpu-1", {"ready": False})
    async with receiver.client.get("/ready") as answer:
        assert (answer.status, (await answer.json())["workers"]) == (200, [{"worker": "gpu-1", "ready": False}])


async def test_it_is_not_ready_when_the_store_takes_no_write(
    receiver: Receiver, refuse_writes: Callable[[], Awaitable[Any]]
) -> None:
    await refuse_writes()
    async with receiver.client.get("/ready") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
        assert "recado store" in (await answer.json())["reason"]


async def test_it_is_not_ready_while_the_store_does_not_answer(receiver: Receiver) -> None:
    await receiver.redis.client_pause(60_000, all=False)
    try:
        status, _ = await receiver.get("/ready")
    finally:
        await receiver.redis.client_unpause()
    assert status == 503


async def test_it_is_healthy_whatever_the_store_does(receiver: Receiver) -> None:
    await receiver.redis.client_pause(60_000, all=False)
    try:
        status, _ = await receiver.get("/health")
    finally:
        await receiver.redis.client_unpause()
    assert status == 200


async def test_a_message_is_counted_once(receiver: Receiver) -> None:
    await receiver.post()
    _, text = await receiver.get("/metrics")
    assert 'recado_updates_total{event="message",kind="text"} 1.0' in text


async def test_webhooks_are_counted_by_their_answer_and_timed(receiver: Receiver) -> None:
    await receiver.post()
    _, text = await receiver.get("/metrics")
    assert 'recado_webhooks_total{result="200"} 1.0' in text
    assert "recado_webhook_ack_seconds_count 1.0" in text


async def test_the_depth_of_the_mailbox_is_a_metric(receiver: Receiver) -> None:
    async def shown() -> bool:
        return 'recado_queue{what="conversations"}' in (await receiver.get("/metrics"))[1]

    await until(shown)


@pytest.mark.parametrize(
    ("header", "status"),
    [(None, 401), ("Bearer wrong", 401), ("Bearer ", 401), ("Bearer sesame", 200)],
)
async def test_metrics_ask_for_their_token_where_there_is_one(start: Start, header: str | None, status: int) -> None:
    receiver = await start(metrics_token="sesame")
    headers = {"Authorization": header} if header is not None else {}
    found, text = await receiver.get("/metrics", headers=headers)
    assert (found, "recado_updates" in text) == (status, status == 200)


# -- background work ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("work", ["persona words", "queue depth", "prune recordings", "forgetting", "rewrite log"])
async def test_each_periodic_work_outlives_an_exception_which_health_and_metrics_tell(
    start: Start, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    place = {
        "persona words": "bot.web._PersonaWords.refresh",
        "queue depth": "bot.web._watch_queue",
        "prune recordings": "webhooks.recording.FileRecording.prune",
        "forgetting": "bot.forgetting.Forgetting.go_on",
        "rewrite log": "bot.mailbox.Mailbox.rewrite_log",
    }[work]

    async def broken(*_args: object) -> None:
        raise LookupError

    monkeypatch.setattr("bot.periodic.FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(place, broken)
    receiver = await start(webhook_recording_hours=24)

    async def told(name: str, least: float) -> bool:
        sample = f'{name}{{work="{work}"}} '
        _, text = await receiver.get("/metrics")
        return any(line.startswith(sample) and float(line.split()[-1]) >= least for line in text.splitlines())

    await until(lambda: told("recado_background_failures_total", 2))
    assert await told("recado_background_failing", 1)
    status, body = await receiver.get("/health")
    assert (status, f'"{work}"' in body, "LookupError" in body) == (200, True, True)


async def test_its_metrics_are_its_own_without_the_workers_and_without_dates_of_creation(receiver: Receiver) -> None:
    await receiver.post()
    _, text = await receiver.get("/metrics")
    assert "_created" not in text
    assert "recado_turns" not in text
    assert "recado_note" not in text


# -- the end --------------------------------------------------------------------------------------------------------


class Running:
    """The whole web process as a task, on a port of its own."""

    def __init__(self, settings: MakeSettings) -> None:
        self.port = free_port()
        self.settings = settings(web_port=self.port)
        self.task: asyncio.Task[None] | None = None
        self._told = False

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(run_web(self.settings))
        async with httpx.AsyncClient(trust_env=False) as http:

            async def up() -> bool:
                try:
                    return (await http.get(f"http://127.0.0.1:{self.port}/health")).status_code == 200
                except httpx.TransportError:
                    return False

            await until(up)
        return self

    def tell(self) -> None:
        """Tell it to stop, once: a second time would end the tests with it."""
        if not self._told:
            self._told = True
            os.kill(os.getpid(), signal.SIGTERM)

    async def __aexit__(self, *_error: object) -> None:
        assert self.task is not None
        self.tell()
        await asyncio.wait_for(self.task, WAIT_S)


async def test_it_ends_on_sigterm(settings: MakeSettings) -> None:
    async with Running(settings) as running:
        running.tell()
        assert running.task is not None
        await asyncio.wait_for(running.task, WAIT_S)


async def test_a_compressed_webhook_is_a_bad_request_and_no_error_of_ours(
    settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    async with Running(settings) as running, httpx.AsyncClient(trust_env=False) as http:
        for encoding in ("gzip", "br", "zstd"):
            headers = {"Content-Encoding": encoding}
            url = f"http://127.0.0.1:{running.port}/webhooks/whatsapp"
            assert (await http.post(url, content=b"{}", headers=headers)).status_code == 400
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    "head",
    [
        b"X-Long: " + b"a" * 20_000,
        b"\r\n".join(b"X-%d: a" % n for n in range(2000)),
        b"X-Odd\x00: a",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: nine",
        b"Transfer-Encoding: gzip, chunked, nothing",
    ],
    ids=["long line", "many", "control character", "two lengths", "no number", "unknown transfer"],
)
async def test_headers_that_cannot_be_read_are_a_bad_request_and_no_error_of_ours(
    settings: MakeSettings, caplog: pytest.LogCaptureFixture, head: bytes
) -> None:
    async with Running(settings) as running:
        logging.getLogger("aiohttp.server").addFilter(quiet := QuietAboutBadRequests())
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(b"POST /webhooks/whatsapp HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\n{}")
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            answer = await reader.readline()
            writer.close()
        finally:
            logging.getLogger("aiohttp.server").removeFilter(quiet)
    assert answer.split()[1] in {b"400", b"401", b"431"}
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_webhook_half_received_is_finished_before_the_end(settings: MakeSettings, redis: Redis) -> None:
    async with Running(settings) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        head = (
            f"POST {PATH} HTTP/1.1",
            "Host: x",
            "Expect: 100-continue",
            f"Content-Length: {len(TEXT)}",
            f"{SIGNATURE_HEADER}: {sign(TEXT, 'secret')}",
        )
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + TEXT[:100])
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        with capture_logs() as logs:
            running.tell()
            await until(lambda: _seen(logs, "stopping: finishing requests in flight"))
        writer.write(TEXT[100:])
        await writer.drain()
        answer = await asyncio.wait_for(reader.readline(), WAIT_S)
        writer.close()
    assert (answer.split()[1], await redis.zcard(key("backlog"))) == (b"200", 1)


async def _seen(logs: list[Any], event: str) -> bool:
    return any(line["event"] == event for line in logs)


async def test_nobody_is_let_in_once_it_is_stopping(settings: MakeSettings) -> None:
    async with Running(settings) as running:
        running.tell()
        assert running.task is not None
        await asyncio.wait_for(running.task, WAIT_S)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", running.port)
