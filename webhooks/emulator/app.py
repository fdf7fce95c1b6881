"""Puts the emulator together: one aiohttp application that plays Meta to the business and phones to the people.

Graph (bearer token, Graph's error envelope; `{version}` up to the configured one)

    POST   /{version}/{phone_number_id}/messages   send text, audio, interactive, reaction; mark as read, typing
    POST   /{version}/{phone_number_id}/media      upload (multipart: messaging_product, type, file)
    GET    /{version}/{phone_number_id}            display_phone_number, verified_name
    GET    /{version}/{media_id}                   where to fetch a file, for 5 minutes
    DELETE /{version}/{media_id}
    GET    /media-download/{media_id}              the file (bearer token, User-Agent)
    GET    /{version}/debug_token                  is `input_token` the one in force?

Phones

    GET    /                                       the page; ?lang=pt-BR|en
    GET    /emulator/api/state                     people, unread counts, numbers; ?phone_number_id=
    POST   /emulator/api/people                    {name, phone | username}
    POST   /emulator/api/people/{person}/messages  {text} or {type, node} or {type, media_base64}; see WriteBody
    POST   /emulator/api/people/{person}/voice     multipart: file (any recording), phone_number_id, reply_to
    GET    /emulator/api/conversations/{person}/{phone_number_id}               ?since=REVISION&wait_s=SECONDS
    POST   /emulator/api/conversations/{person}/{phone_number_id}/read          the person looks at the chat
    POST   /emulator/api/conversations/{person}/{phone_number_id}/close-window  24 h pass
    GET    /emulator/api/messages/{wamid}/caption  who speaks in which words, where the emulator was given a source
    POST   /emulator/api/messages/{wamid}/receipts {status: sent|delivered|read|played|failed, code, details}
    GET    /emulator/api/media/{media_id}          a file, by range
    GET    /emulator/api/events                    server-sent events: {topic, person_id, phone_number_id}

Developers

    GET    /emulator/api/webhooks                  counters, handshake, newest deliveries with bodies
    POST   /emulator/api/webhooks/handshake        verify the receiver again
    POST   /emulator/api/raw                       post this very body, signed; ?signature=valid|wrong|missing
    GET    /emulator/api/faults                    what can be armed, what is armed
    POST   /emulator/api/faults                    {fault, count, on: [operation], delay_ms, retry_after_s}
    DELETE /emulator/api/faults                    disarm all
    GET    /health
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import aiohttp_jinja2
import jinja2
from aiohttp import web

from webhooks.emulator.captions import Caption, Captions
from webhooks.emulator.config import BusinessNumber, EmulatorConfig
from webhooks.emulator.control import Control
from webhooks.emulator.courier import Courier
from webhooks.emulator.errors import BadForm, PhoneError
from webhooks.emulator.exchange import Exchange
from webhooks.emulator.faults import FaultDesk
from webhooks.emulator.graph import Graph
from webhooks.emulator.phone import Phone
from webhooks.emulator.workbench import Workbench
from webhooks.emulator.world import Change, World

__all__ = ["EXCHANGE", "BusinessNumber", "Caption", "EmulatorConfig", "build_app"]

HERE = Path(__file__).parent
REQUEST_LIMIT_BYTES = 24 * 1024 * 1024
EXCHANGE = web.AppKey("exchange", Exchange)


def build_app(
    config: EmulatorConfig, *, clock: Callable[[], float] = time.time, captions: Captions | None = None
) -> web.Application:
    """The emulator, ready to run. `clock` gives epoch seconds and moves windows, expiry and receipts.

    With `captions` the page shows who speaks, and the words of voice notes.
    """
    app = web.Application(client_max_size=REQUEST_LIMIT_BYTES, middlewares=[_own_pages_only, _in_plain_words])
    world = World(config.business_numbers(), clock=clock)
    faults = FaultDesk()
    courier = Courier(
        config,
        faults,
        clock=clock,
        on_ack=world.acknowledge,
        on_change=lambda: world.announce(Change(topic="webhooks")),
    )
    exchange = Exchange(config, world, faults, courier)
    app[EXCHANGE] = exchange
    aiohttp_jinja2.setup(app, loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True)
    phone = Phone(config, exchange, captions=captions is not None)
    app.add_routes(Graph(config, exchange).routes())
    app.add_routes(Control(config, exchange, captions=captions).routes())
    app.add_routes(Workbench(exchange).routes())
    app.add_routes(phone.routes())
    app.router.add_static("/static", HERE / "static")
    app.cleanup_ctx.append(_courier_at_work(courier))
    app.on_shutdown.append(phone.hang_up)
    return app


def _courier_at_work(courier: Courier) -> Callable[[web.Application], AsyncIterator[None]]:
    async def context(_: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as session:
            courier.start(session)
            yield
            await courier.close()

    return context


@web.middleware
async def _in_plain_words(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Translate the phones' refusals to `{"error": …}`; Graph's have their own translator."""
    try:
        return await handler(request)
    except PhoneError as error:
        return web.json_response({"error": str(error)}, status=error.http_status)
    except BadForm as error:
        return web.json_response({"error": str(error)}, status=400)


@web.middleware
async def _own_pages_only(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse what a browser sends on behalf of another site: the control API has no login."""
    if request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"} and request.method != "GET":
        return web.json_response({"error": "requests from other sites are refused"}, status=403)
    response = await handler(request)
    if not response.prepared:
        response.headers["X-Content-Type-Options"] = "nosniff"
    return response
