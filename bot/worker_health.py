"""How a worker is, and where it tells: `/health`, `/ready` (warm) and `/metrics`. Knows no turn."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from bot.dispatcher import Dispatcher
from bot.exposition import exposition
from bot.metrics import Metrics
from bot.periodic import Background
from bot.settings import Settings
from tts.speaker import Speaker

SHUTDOWN_S = 1.0


class Condition:
    """How this worker is, for `/health`, `/ready` and its heartbeat."""

    def __init__(self, dispatcher: Dispatcher, speaker: Speaker, background: Background) -> None:
        self._dispatcher = dispatcher
        self._speaker = speaker
        self._background = background
        self.warm = False

    def facts(self) -> dict[str, Any]:
        """What anybody may know."""
        engines = {status.engine: str(status.state) for status in self._speaker.status()}
        return {"ready": self.warm, "active": self._dispatcher.active, "engines": engines}

    def health(self) -> dict[str, Any]:
        """That it lives, and what of its periodic work fails."""
        return self._background.health("recado-worker")


async def serve(settings: Settings, condition: Condition, metrics: Metrics) -> web.AppRunner:
    """Listen on WORKER_HOST:WORKER_PORT; `cleanup` of what is returned ends it."""

    async def health(_request: web.Request) -> web.Response:
        return web.json_response(condition.health())

    async def ready(_request: web.Request) -> web.Response:
        facts = condition.facts()
        return web.json_response(facts, status=200 if facts["ready"] else 503)

    async def counted(request: web.Request) -> web.Response:
        return exposition(request, metrics, settings.metrics_token)

    app = web.Application()
    app.router.add_get("/health", health)
    app.router.add_get("/ready", ready)
    app.router.add_get("/metrics", counted)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    await web.TCPSite(runner, settings.worker_host, settings.worker_port).start()
    return runner
