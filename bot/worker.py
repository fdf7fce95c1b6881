"""The worker process: hears, speaks and sends. The composition root of everything that is slow or needs a GPU.

Its own `/health`, `/ready` (warm) and `/metrics` stand on WORKER_HOST:WORKER_PORT.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import structlog
from redis.exceptions import RedisError

from bot.composer import Composer
from bot.conversation import Conversations
from bot.dead_workers import DeadWorkers, LifeLock, worker_name
from bot.designer import LOOK_S, Designer
from bot.dispatcher import Dispatcher, DispatchLimits
from bot.ears import Ears
from bot.ended_consents import forget_ended
from bot.heartbeat import EVERY_S, Heartbeats
from bot.installation import KEEP_WHOLE_S, Installation, keep_whole, open_installation
from bot.metrics import Metrics, Process
from bot.pace import SharedPace
from bot.periodic import Background
from bot.policy import Limits
from bot.provenance import build_notary
from bot.replies import build_replies
from bot.service import Dependencies, TurnService
from bot.settings import Settings
from bot.stopping import Stopping, briefly
from bot.store import Role
from bot.turn import TurnLimits
from bot.voice_uses import Uses
from bot.worker_health import Condition, serve
from tts.batching import BatchStats
from tts.blobs import FolderBlobStore
from tts.casting import Casting
from tts.checks.configured import build_gate
from tts.composition import build_speaker
from tts.contract import Transcriber, Utterance, Voice
from tts.errors import TtsError
from tts.hearing import build_transcriber
from tts.settings import TtsSettings
from tts.slots import EngineStatus
from tts.speaker import Speaker
from webhooks.whatsapp.client import WhatsAppClient
from webhooks.whatsapp.graph import GraphConfig
from webhooks.whatsapp.pacing import Pacer, Rate

log = structlog.get_logger()

LOST_EXIT_CODE = 70
BLOB_SWEEP_S = 3600.0
CONSENT_SWEEP_S = 3600.0
NOTE_KEPT_S = 24 * 3600.0


async def run_worker(settings: Settings, tts_settings: TtsSettings) -> None:
    """Run until SIGTERM or SIGINT, then drain, and close in reverse order what was opened."""
    async with Stopping() as stopping, contextlib.AsyncExitStack() as opened:
        await stopping.until_told(_work(settings, tts_settings, opened, hurry=stopping.hurry))


async def _work(
    settings: Settings, tts_settings: TtsSettings, opened: contextlib.AsyncExitStack, *, hurry: asyncio.Event
) -> None:
    """Open everything, load the models, take turns; until cancelled."""
    name = worker_name(socket.gethostname())
    metrics = Metrics(Process.WORKER)
    locks = settings.recado_data_dir / "workers"
    opened.enter_context(LifeLock(locks, name))
    installation = await open_installation(settings, role=Role.WORKER)
    opened.push_async_callback(installation.close)
    http = await opened.enter_async_context(httpx.AsyncClient())
    blobs = FolderBlobStore(settings.recado_data_dir / "notes")

    voice = _build_voice(tts_settings, installation, http, metrics)
    opened.push_async_callback(briefly, voice.close)
    service = _build_service(settings, installation, http=http, voice=voice, blobs=blobs, metrics=metrics)
    hearts = Heartbeats(installation.redis)
    dead = DeadWorkers(installation.mailbox, hearts, locks, own=name, clock=time.monotonic)
    dispatcher = Dispatcher(
        installation.mailbox,
        service,
        consumer=name,
        limits=DispatchLimits(slots=settings.worker_slots, lease_s=settings.lease_s, drain_s=settings.drain_s),
        metrics=metrics,
        release_dead=dead.release,
    )

    background = Background(metrics)
    condition = Condition(dispatcher, voice.speaker, background)
    opened.push_async_callback((await serve(settings, condition, metrics)).cleanup)
    opened.push_async_callback(_leave, hearts, name)
    opened.push_async_callback(background.stop)
    background.start("heartbeat", lambda: hearts.beat(name, condition.facts()), every_s=EVERY_S)
    background.start("store", lambda: keep_whole(installation), every_s=KEEP_WHOLE_S)
    background.start("sweep notes", lambda: _sweep(blobs, installation.conversations), every_s=BLOB_SWEEP_S)
    background.start("ended consents", lambda: _forget_ended(installation, voice), every_s=CONSENT_SWEEP_S)

    opened.push_async_callback(_drain, dispatcher, condition, hurry)
    await _load(installation, voice, dispatcher)
    condition.warm = True
    background.start("voices", _designer(installation, voice).look, every_s=LOOK_S)
    log.info("ready", worker=name)
    await asyncio.Event().wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Voice:
    """What hears and speaks."""

    transcriber: Transcriber
    casting: Casting
    speaker: Speaker

    async def close(self) -> None:
        await self.speaker.close()
        await self.transcriber.close()


def _build_voice(
    settings: TtsSettings, installation: Installation, http: httpx.AsyncClient, metrics: Metrics
) -> _Voice:
    transcriber = build_transcriber(settings, http)
    casting = Casting(
        installation.samples,
        profiles=installation.profiles,
        transcriber=transcriber,
        on_lookup=lambda where, result: metrics.profile_cache.labels(where, result).inc(),
    )
    gate = build_gate(settings, material=installation.samples, transcriber=transcriber)
    speaker = build_speaker(settings, casting=casting, gate=gate, on_lost=_end_lost, on_batch=_batch_counter(metrics))
    metrics.show_breakers(lambda: {status.engine: status.breaker for status in speaker.status()})
    return _Voice(transcriber=transcriber, casting=casting, speaker=speaker)


def _build_service(
    settings: Settings,
    installation: Installation,
    *,
    http: httpx.AsyncClient,
    voice: _Voice,
    blobs: FolderBlobStore,
    metrics: Metrics,
) -> TurnService:
    channel = WhatsAppClient.over(http, _graph(settings))
    ears = Ears(
        channel,
        voice.transcriber,
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
    return TurnService(
        Dependencies(
            mailbox=installation.mailbox,
            channel=channel,
            pace=SharedPace(installation.mailbox, _pacer(settings)),
            speaker=voice.speaker,
            blobs=blobs,
            composer=composer,
            ears=ears,
            conversations=installation.conversations,
            personas=installation.personas,
            voices=installation.voices,
            notary=build_notary(settings, installation.redis, installation.samples),
            metrics=metrics,
            note_kept_s=settings.note_days * 86_400,
            limits=TurnLimits(voice_deadline_s=settings.voice_deadline_s, receipt_grace_s=settings.receipt_grace_s),
            now_ms=_now_ms,
        )
    )


def _designer(installation: Installation, voice: _Voice) -> Designer:
    return Designer(
        speaker=voice.speaker,
        designs=installation.designs,
        personas=installation.personas,
        voices=installation.voices,
    )


async def _load(installation: Installation, voice: _Voice, dispatcher: Dispatcher) -> None:
    """Load what speaks and what hears; turns are taken as soon as there is a voice."""
    await installation.personas.seed_if_empty()
    hearing = asyncio.create_task(voice.transcriber.start())
    try:
        await voice.speaker.start(_report, voices=await _voices(installation))
        await dispatcher.start()
        await hearing  # a voice note that comes earlier waits for the ears to open; nothing else has to
    finally:
        hearing.cancel()


async def _drain(dispatcher: Dispatcher, condition: Condition, hurry: asyncio.Event) -> None:
    condition.warm = False
    await dispatcher.drain(hurry=hurry)


async def _leave(hearts: Heartbeats, name: str) -> None:
    with contextlib.suppress(RedisError):  # the heartbeat runs out by itself
        await hearts.leave(name)


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
    gone = await blobs.sweep(older_than_s=NOTE_KEPT_S, keep=await conversations.kept_notes(_now_ms()))
    log.info("old notes swept", count=gone)


async def _forget_ended(installation: Installation, voice: _Voice) -> None:
    """Forget what was made of recordings whose consent is over."""
    uses = Uses(installation.voices, installation.personas, installation.profiles)
    gone = await forget_ended(installation.samples, uses, forget=voice.casting.forget, now=datetime.now(UTC))
    log.info("ended consents looked for", voices_silent=len(gone))
