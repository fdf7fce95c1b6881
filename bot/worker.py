"""The worker process: hears, speaks and sends. The composition root of everything that is slow or needs a GPU.

Its own `/health`, `/ready` (warm) and `/metrics` stand on WORKER_HOST:WORKER_PORT.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import structlog
from aiohttp import web
from redis.exceptions import RedisError

from bot.composer import Composer
from bot.conversation import Conversations
from bot.designer import Designer
from bot.dispatcher import Dispatcher, DispatchLimits
from bot.ears import Ears
from bot.ended_consents import forget_ended
from bot.exposition import exposition
from bot.heartbeat import Heartbeats
from bot.installation import Installation, open_unless_stopped
from bot.metrics import Metrics
from bot.pace import SharedPace
from bot.policy import Limits
from bot.provenance import build_notary
from bot.replies import build_replies
from bot.service import Dependencies, TurnService
from bot.settings import Settings
from bot.store import Role
from bot.turn import TurnLimits
from bot.voice_uses import Uses
from tts.batching import BatchStats
from tts.blobs import FolderBlobStore
from tts.casting import Casting
from tts.checks.configured import build_gate
from tts.composition import build_speaker
from tts.contract import Utterance, Voice
from tts.errors import TtsError
from tts.hearing import build_transcriber
from tts.settings import TtsSettings
from tts.slots import EngineStatus
from webhooks.whatsapp.client import WhatsAppClient
from webhooks.whatsapp.graph import GraphConfig
from webhooks.whatsapp.pacing import Pacer, Rate

log = structlog.get_logger()

LOST_EXIT_CODE = 70
BLOB_SWEEP_S = 3600.0
CONSENT_SWEEP_S = 3600.0
NOTE_KEPT_S = 24 * 3600.0


async def run_worker(settings: Settings, tts_settings: TtsSettings) -> None:
    """Run until SIGTERM or SIGINT, then drain."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopping.set)
    installation = await open_unless_stopped(settings, role=Role.WORKER, stopping=stopping)
    if installation is None:
        return
    metrics = Metrics()
    blobs = FolderBlobStore(settings.recado_data_dir / "notes")
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    async with httpx.AsyncClient() as http:
        channel = WhatsAppClient.over(http, _graph(settings))
        transcriber = build_transcriber(tts_settings, http)
        casting = Casting(
            installation.samples,
            profiles=installation.profiles,
            transcriber=transcriber,
            on_lookup=lambda where, result: metrics.profile_cache.labels(where, result).inc(),
        )
        notary = build_notary(settings, installation.redis, installation.samples)
        gate = build_gate(tts_settings, material=installation.samples, transcriber=transcriber)
        speaker = build_speaker(
            tts_settings, casting=casting, gate=gate, on_lost=_end_lost, on_batch=_batch_counter(metrics)
        )
        metrics.show_breakers(lambda: {status.engine: status.breaker for status in speaker.status()})
        ears = Ears(
            channel,
            transcriber,
            languages=installation.personas.languages_on,
            max_bytes=settings.audio_max_bytes,
            metrics=metrics,
            timer=time.perf_counter,
        )
        composer = Composer(
            ears=ears,
            replies=build_replies(settings, http),
            personas=installation.personas,
            conversations=installation.conversations,
            limits=_policy(settings),
            now_ms=_now_ms,
        )
        service = TurnService(
            Dependencies(
                mailbox=installation.mailbox,
                channel=channel,
                pace=SharedPace(installation.mailbox, _pacer(settings)),
                speaker=speaker,
                blobs=blobs,
                composer=composer,
                ears=ears,
                conversations=installation.conversations,
                personas=installation.personas,
                voices=installation.voices,
                notary=notary,
                metrics=metrics,
                note_kept_s=settings.note_days * 86_400,
                limits=TurnLimits(
                    voice_deadline_s=settings.voice_deadline_s,
                    receipt_grace_s=settings.receipt_grace_s,
                ),
                now_ms=_now_ms,
            )
        )
        dispatcher = Dispatcher(
            installation.mailbox,
            service,
            consumer=name,
            limits=DispatchLimits(slots=settings.worker_slots, lease_s=settings.lease_s, drain_s=settings.drain_s),
            metrics=metrics,
        )
        condition = _Condition(installation, dispatcher, speaker_status=speaker.status)
        runner = await _serve(settings, condition, metrics)
        beating = asyncio.create_task(Heartbeats(installation.redis).keep_beating(name, condition.facts))
        background = [
            beating,
            asyncio.create_task(_sweep(blobs, installation.conversations)),
            asyncio.create_task(_forget_ended(installation, casting)),
        ]
        try:
            await installation.personas.seed_if_empty()
            hearing = asyncio.create_task(transcriber.start())
            voices = await _voices(installation)
            await speaker.start(_report, voices=voices)
            await dispatcher.start()
            await hearing  # a voice note that comes earlier waits for the ears to open; nothing else has to
            condition.warm = True
            designer = Designer(
                speaker=speaker,
                designs=installation.designs,
                personas=installation.personas,
                voices=installation.voices,
            )
            background.append(asyncio.create_task(designer.run()))
            log.info("ready", worker=name)
            await stopping.wait()
        finally:
            condition.warm = False
            await dispatcher.drain()
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            with contextlib.suppress(RedisError):  # the heartbeat runs out by itself
                await Heartbeats(installation.redis).leave(name)
            await runner.cleanup()
            await speaker.close()
            await transcriber.close()
            await installation.close()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _pacer(settings: Settings) -> Pacer:
    return Pacer(number_rate=Rate(per_s=settings.send_per_second, burst=settings.send_per_second))


def _graph(settings: Settings) -> GraphConfig:
    return GraphConfig(
        base_url=settings.whatsapp_api_url,
        version=settings.whatsapp_api_version,
        access_token=settings.whatsapp_access_token,
    )


def _policy(settings: Settings) -> Limits:
    return Limits(
        allowed_countries=frozenset(settings.allowed_countries),
        allow_unknown_country=settings.allow_unknown_country,
        rate_per_minute=settings.rate_limit_per_minute,
        quota_per_day=settings.quota_per_day,
        stale_after_s=settings.stale_after_s,
        takeover_s=settings.takeover_minutes * 60,
    )


def _report(status: EngineStatus) -> None:
    log.info("engine", engine=status.engine, state=status.state, model=status.model, reason=status.reason)


def _batch_counter(metrics: Metrics) -> Any:
    def count(stats: BatchStats) -> None:
        metrics.batch_fill.labels(stats.engine).observe(stats.size)
        metrics.queue.labels(f"engine {stats.engine}").set(stats.queue_depth)

    return count


def _end_lost(engine: str, suspects: Sequence[Utterance]) -> None:
    """A hung kernel cannot be cancelled, a failed device not used: end; the turns come back and run alone."""
    log.critical("the engine is lost, ending the process", engine=engine, suspects=len(suspects))
    os._exit(LOST_EXIT_CODE)


async def _voices(installation: Installation) -> list[Voice]:
    """The voices of all personas, as far as they can be read."""
    voices = []
    for persona in await installation.personas.list():
        try:
            voices.append(await installation.voices.resolve(persona))
        except TtsError as error:
            log.warning("a persona has no voice", persona=persona.id, error=type(error).__name__)
    return voices


async def _sweep(blobs: FolderBlobStore, conversations: Conversations) -> None:
    """Forget notes a day after they were made, but for the last of each conversation."""
    while True:
        try:
            gone = await blobs.sweep(older_than_s=NOTE_KEPT_S, keep=await conversations.kept_notes(_now_ms()))
        except (RedisError, OSError) as error:
            log.warning("old notes were not swept", error=type(error).__name__)
        else:
            log.info("old notes swept", count=gone)
        await asyncio.sleep(BLOB_SWEEP_S)


async def _forget_ended(installation: Installation, casting: Casting) -> None:
    """Every hour, forget what was made of recordings whose consent is over."""
    uses = Uses(installation.voices, installation.personas, installation.profiles)
    while True:
        try:
            gone = await forget_ended(installation.samples, uses, forget=casting.forget, now=datetime.now(UTC))
        except (RedisError, TtsError) as error:
            log.warning("ended consents were not looked for", error=type(error).__name__)
        else:
            log.info("ended consents looked for", voices_silent=len(gone))
        await asyncio.sleep(CONSENT_SWEEP_S)


class _Condition:
    """How this worker is, for `/ready` and its heartbeat."""

    def __init__(self, installation: Installation, dispatcher: Dispatcher, *, speaker_status: Any) -> None:
        self._installation = installation
        self._dispatcher = dispatcher
        self._speaker_status = speaker_status
        self.warm = False

    def facts(self) -> dict[str, Any]:
        engines = {status.engine: str(status.state) for status in self._speaker_status()}
        return {"ready": self.warm, "active": self._dispatcher.active, "engines": engines}


async def _serve(settings: Settings, condition: _Condition, metrics: Metrics) -> web.AppRunner:
    async def health(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "service": "recado-worker"})

    async def ready(_request: web.Request) -> web.Response:
        facts = condition.facts()
        return web.json_response(facts, status=200 if facts["ready"] else 503)

    async def counted(request: web.Request) -> web.Response:
        return exposition(request, metrics, settings.metrics_token)

    app = web.Application()
    app.router.add_get("/health", health)
    app.router.add_get("/ready", ready)
    app.router.add_get("/metrics", counted)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, settings.worker_host, settings.worker_port).start()
    return runner
