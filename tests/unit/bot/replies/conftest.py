"""A chat endpoint on a real socket, told beforehand how to behave."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class ChatServer:
    """Plays one behaviour a request, the last one for ever. `bodies` and `headers` are what it was sent."""

    behaviours: list[Behaviour] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    base_url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(orjson.loads(await request.read()))
        self.headers.append(dict(request.headers))
        return await self.behaviours[min(len(self.bodies), len(self.behaviours)) - 1](request)


def event(content: str) -> bytes:
    return b"data: " + orjson.dumps({"choices": [{"delta": {"content": content}}]}) + b"\n\n"


def streaming(*pieces: str, done: bool = True) -> Behaviour:
    """Streams these pieces and, unless told otherwise, the end mark."""

    async def behave(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for piece in pieces:
            await response.write(event(piece))
        if done:
            await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response

    return behave


def answering(status: int, body: Any = None, **headers: str) -> Behaviour:
    """Answers at once with this status and JSON."""

    async def behave(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(body or {}, status=status, headers=named)

    return behave


@pytest.fixture
async def chat() -> AsyncIterator[ChatServer]:
    server = ChatServer(behaviours=[streaming("Oi!")])
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.handle)
    async with TestServer(app) as running:
        server.base_url = str(running.make_url("/v1"))
        yield server


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


@pytest.fixture
def stream_of() -> Callable[..., Behaviour]:
    return streaming


@pytest.fixture
def answer_of() -> Callable[..., Behaviour]:
    return answering
