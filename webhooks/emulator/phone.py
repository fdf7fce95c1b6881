"""The people's door as a page: a phone to write from, and the event stream that keeps it fresh.

It renders one template; everything that happens on it goes through the JSON of `control`. It knows no Graph rules.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets

import aiohttp_jinja2
from aiohttp import web
from aiohttp_sse import sse_response

from webhooks.emulator.config import EmulatorConfig
from webhooks.emulator.exchange import Exchange
from webhooks.emulator.words import WORDS
from webhooks.emulator.world import Change

LANGUAGE_COOKIE = "emulator_language"


class Phone:
    """Handlers of the page and its events."""

    def __init__(self, config: EmulatorConfig, exchange: Exchange, *, captions: bool = False) -> None:
        self._captions = captions
        self._config = config
        self._exchange = exchange
        self._streams: set[asyncio.Queue[Change | None]] = set()

    def routes(self) -> list[web.RouteDef]:
        """The page, its events, and a sign of life."""
        return [
            web.get("/", self.page),
            web.get("/emulator/api/events", self.events),
            web.get("/health", self.health),
        ]

    async def page(self, request: web.Request) -> web.Response:
        """The phone page in the reader's language, under a policy that runs only our own files."""
        language = choose_language(
            request.query.get("lang"),
            request.cookies.get(LANGUAGE_COOKIE),
            request.headers.get("Accept-Language", ""),
            self._config.language,
        )
        nonce = secrets.token_urlsafe(16)
        response = aiohttp_jinja2.render_template(
            "phone.html",
            request,
            {
                "words": WORDS[language],
                "language": language,
                "languages": tuple(WORDS),
                "nonce": nonce,
                "captions": self._captions,
                "numbers": tuple(self._exchange.world.numbers.values()),
            },
        )
        response.headers["Content-Security-Policy"] = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; "
            "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        response.headers["Permissions-Policy"] = "microphone=(self)"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        response.set_cookie(LANGUAGE_COOKIE, language, samesite="Strict", httponly=True)
        return response

    async def events(self, request: web.Request) -> web.StreamResponse:
        """One line of JSON for everything that changes, until the reader leaves or the emulator stops."""
        queue: asyncio.Queue[Change | None] = asyncio.Queue()
        stop = self._exchange.world.listen(queue.put_nowait)
        self._streams.add(queue)
        try:
            async with sse_response(request) as stream:
                with contextlib.suppress(ConnectionResetError):
                    while (change := await queue.get()) is not None:
                        await stream.send(
                            json.dumps(
                                {
                                    "topic": change.topic,
                                    "person_id": change.person_id,
                                    "phone_number_id": change.phone_number_id,
                                }
                            )
                        )
        finally:
            stop()
            self._streams.discard(queue)
        return stream

    async def health(self, request: web.Request) -> web.Response:  # noqa: ARG002 - aiohttp's handler signature
        """A sign of life."""
        return web.json_response({"status": "ok"})

    async def hang_up(self, _: web.Application) -> None:
        """End every event stream, so that the server can stop."""
        for queue in self._streams:
            queue.put_nowait(None)


def choose_language(asked: str | None, remembered: str | None, accepted: str, default: str) -> str:
    """The first of these that the page speaks: `?lang=`, the cookie, Accept-Language in its order, the setting."""
    by_prefix = {tag.split("-")[0].lower(): tag for tag in WORDS}
    wanted = [asked or "", remembered or "", *(part.split(";")[0].strip() for part in accepted.split(",")), default]
    for tag in wanted:
        if language := by_prefix.get(tag.split("-")[0].lower()):
            return language
    return next(iter(WORDS))
