"""The web process: the receiver, health, readiness and metrics. The composition root of everything that listens.

Ready means that the store accepts a write, nothing else: a receiver must never leave the balancer because a model is
still loading. How the workers are is told beside it, from their heartbeats.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Callable, Mapping

import structlog
from aiohttp import web
from redis.exceptions import RedisError

from bot.command_answers import choosing_words
from bot.exposition import exposition
from bot.forgetting import Forgetting
from bot.heartbeat import Heartbeats
from bot.inbox import MailboxInbox
from bot.installation import KEEP_WHOLE_S, Installation, keep_whole, open_installation
from bot.mailbox import MailboxError
from bot.metrics import Metrics, Process
from bot.periodic import Background
from bot.settings import Settings
from bot.stopping import Stopping, all_done
from bot.store import Role
from webhooks.recording import DAY_S, FileRecording
from webhooks.whatsapp.routes import Handler, ReceiverConfig, add_routes

log = structlog.get_logger()

INSTALLATION = web.AppKey("installation", Installation)
METRICS = web.AppKey("metrics", Metrics)
SETTINGS = web.AppKey("settings", Settings)
BACKGROUND = web.AppKey("background", Background)
UNDER_WAY = web.AppKey("under_way", set[asyncio.Future[None]])
"""Webhooks that are being read or kept; each future is done with its answer."""

PERSONA_REFRESH_S = 5.0
QUEUE_REFRESH_S = 5.0
PRUNE_S = 3600.0
FORGET_S = 10.0
FORGET_AFTER_S = 60.0
FINISH_S = 5.0
SHUTDOWN_S = 5.0


def build_app(settings: Settings, installation: Installation) -> web.Application:
    """The web application on an open installation, which it closes at its end."""
    metrics = Metrics(Process.WEB)
    app = web.Application()
    app[INSTALLATION], app[METRICS], app[SETTINGS], app[UNDER_WAY] = installation, metrics, settings, set()
    app[BACKGROUND] = Background(metrics)
    words = _PersonaWords(installation)
    inbox = MailboxInbox(
        installation.mailbox,
        metrics=metrics,
        takeover_s=settings.takeover_minutes * 60,
        persona_words=words.current,
    )
    recording = _recording(settings)
    updates = functools.cache(metrics.updates.labels)
    add_routes(
        app,
        ReceiverConfig(
            app_secrets=settings.whatsapp_app_secret,
            verify_token=settings.whatsapp_verify_token,
            phone_number_ids=frozenset(settings.whatsapp_phone_number_id),
        ),
        inbox,
        recording=recording if settings.webhook_recording_hours > 0 else None,
        count=lambda event, kind: updates(event, kind).inc(),
        around=_timed(metrics, app[UNDER_WAY]),
    )
    app.router.add_get("/health", _health)
    app.router.add_get("/ready", _ready)
    app.router.add_get("/metrics", _metrics)
    forgetting = Forgetting(
        installation.mailbox, installation.conversations, recording, now_ms=_now_ms, after_s=FORGET_AFTER_S
    )
    app.on_startup.append(lambda _app: forgetting.enlist())
    app.on_startup.append(lambda _app: words.first())

    async def beside(_app: web.Application) -> AsyncIterator[None]:
        background = app[BACKGROUND]
        background.start("store", lambda: keep_whole(installation), every_s=KEEP_WHOLE_S)
        background.start("persona words", words.refresh, every_s=PERSONA_REFRESH_S)
        background.start("queue depth", lambda: _watch_queue(app), every_s=QUEUE_REFRESH_S)
        if recording is not None:
            background.start("prune recordings", lambda: recording.prune(_now_ms()), every_s=PRUNE_S)
        background.start("forgetting", forgetting.go_on, every_s=FORGET_S)
        background.start("rewrite log", installation.mailbox.rewrite_log, every_s=FORGET_S)
        yield
        await background.stop()

    app.cleanup_ctx.append(beside)
    app.on_cleanup.append(_close)
    return app


def _recording(settings: Settings) -> FileRecording | None:
    """The folder of recorded webhooks; also where no more are recorded, and what is there goes with age."""
    folder, kept_s = settings.recado_data_dir / "recordings", settings.webhook_recording_hours * 3600
    if kept_s <= 0 and not folder.exists():
        return None
    return FileRecording(folder, max_age_s=kept_s or DAY_S)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class _PersonaWords:
    """Which words choose a persona, kept in memory so that the receiver's hot path asks no store for them."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._words: Mapping[str, str] = {}

    def current(self) -> Mapping[str, str]:
        return self._words

    async def first(self) -> None:
        """Know the words before the first message is read; what fails is tried again by the periodic refresh."""
        try:
            await self.refresh()
        except Exception as error:  # noqa: BLE001 - a task boundary: the receiver starts all the same
            log.warning("persona words not read", error=type(error).__name__)

    async def refresh(self) -> None:
        self._words = choosing_words(await self._installation.personas.list())


def _timed(metrics: Metrics, under_way: set[asyncio.Future[None]]) -> Callable[[Handler], Handler]:
    """Time and count a route's answers. No middleware: aiohttp's way through one costs more than this does."""
    by_status = functools.cache(lambda status: metrics.webhooks.labels(str(status)))

    def around(handler: Handler) -> Handler:
        async def timed(request: web.Request) -> web.Response:
            began = time.perf_counter()
            answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            under_way.add(answered)
            try:
                response = await handler(request)
            finally:
                under_way.discard(answered)
                answered.set_result(None)
            metrics.ack_s.observe(time.perf_counter() - began)
            by_status(response.status).inc()
            return response

        return timed

    return around


async def _health(request: web.Request) -> web.Response:
    return web.json_response(request.app[BACKGROUND].health("recado-web"))


async def _ready(request: web.Request) -> web.Response:
    installation = request.app[INSTALLATION]
    try:
        async with asyncio.timeout(2):
            await installation.mailbox.check_write()
            workers = await Heartbeats(installation.redis).living()
    except (MailboxError, RedisError, TimeoutError) as error:
        log.error("not ready: the store does not accept a write", error=type(error).__name__)
        body = {"status": "unavailable", "reason": "The store does not accept a write. Is `recado store` running?"}
        return web.json_response(body, status=503, headers={"Retry-After": "2"})
    return web.json_response({"status": "ready", "workers": workers})


async def _metrics(request: web.Request) -> web.Response:
    return exposition(request, request.app[METRICS], request.app[SETTINGS].metrics_token)


async def _watch_queue(app: web.Application) -> None:
    depth = await app[INSTALLATION].mailbox.depth()
    for name, value in depth.as_gauges().items():
        app[METRICS].queue.labels(name).set(value)


async def _close(app: web.Application) -> None:
    await app[INSTALLATION].close()


async def run_web(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then stop listening and finish the requests in flight."""
    async with Stopping() as stopping, contextlib.AsyncExitStack() as opened:
        await stopping.until_told(_listen(settings, opened, hurry=stopping.hurry))


async def _listen(settings: Settings, opened: contextlib.AsyncExitStack, *, hurry: asyncio.Event) -> None:
    installation = await open_installation(settings, role=Role.RECEIVER)
    opened.push_async_callback(installation.close)
    app = build_app(settings, installation)
    # Bodies stay as they came: what is signed is what was sent, and nothing unpacks what strangers compressed.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S, auto_decompress=False)
    opened.push_async_callback(runner.cleanup)
    await runner.setup()
    site = web.TCPSite(runner, settings.web_host, settings.web_port, backlog=1024)
    await site.start()
    opened.push_async_callback(_finish, site, app[UNDER_WAY], hurry)
    log.info("listening", host=settings.web_host, port=settings.web_port)
    await asyncio.Event().wait()


async def _finish(site: web.TCPSite, under_way: set[asyncio.Future[None]], hurry: asyncio.Event) -> None:
    """Let nobody in any more, and answer those who are inside."""
    log.info("stopping: finishing requests in flight", webhooks=len(under_way))
    await site.stop()
    if under_way:  # once its cleanup begins, aiohttp reads no more of a body
        await all_done(set(under_way), within_s=FINISH_S, hurry=hurry)
