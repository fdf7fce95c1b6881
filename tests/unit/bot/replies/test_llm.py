from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from aiohttp import web

from bot.conversation import Line
from bot.persona import shipped_personas
from bot.replies.contract import (
    Reply,
    ReplyEmpty,
    ReplyError,
    ReplyRefused,
    ReplyRequest,
    ReplySource,
    ReplyThrottled,
    ReplyTimeout,
    ReplyUnavailable,
)
from bot.replies.llm import LlmEndpoint, LlmReplies

NINA, _ = shipped_personas()
REQUEST = ReplyRequest(persona=NINA, language="pt-BR", text="Oi, tudo bem?", max_chars=200, now_ms=1_795_262_400_000)


class Asker:
    """An LlmReplies at the test's server whose waits are noted and not waited for."""

    def __init__(self, server: Any, http: httpx.AsyncClient) -> None:
        self.waits_s: list[float] = []
        self.endpoint = LlmEndpoint(base_url=server.base_url, model="small", api_key="sk-test")
        self.http = http

    async def __call__(self, request: ReplyRequest = REQUEST, **endpoint: Any) -> Reply:
        replies = LlmReplies(replace(self.endpoint, **endpoint), self.http, sleep=self._note, rng=random.Random(0))
        return await replies.reply(request)

    async def _note(self, wait_s: float) -> None:
        self.waits_s.append(wait_s)


@pytest.fixture
def ask(chat: Any, http: httpx.AsyncClient) -> Asker:
    return Asker(chat, http)


async def test_streamed_pieces_become_one_answer(chat: Any, ask: Asker, stream_of: Callable[..., Any]) -> None:
    chat.behaviours = [stream_of("Tudo ", "ótimo, ", "e você?")]
    assert await ask() == Reply(text="Tudo ótimo, e você?", source=ReplySource.LLM)


async def test_model_key_and_temperature_are_sent(chat: Any, ask: Asker) -> None:
    await ask()
    body = chat.bodies[0]
    assert (body["model"], body["stream"], body["temperature"]) == ("small", True, NINA.llm_temperature)
    assert chat.headers[0]["Authorization"] == "Bearer sk-test"
    assert "max_tokens" not in body


async def test_without_a_key_nothing_is_claimed(chat: Any, ask: Asker) -> None:
    await ask(api_key="")
    assert "Authorization" not in chat.headers[0]


async def test_a_personas_token_limit_is_passed_on(chat: Any, ask: Asker) -> None:
    await ask(replace(REQUEST, persona=replace(NINA, llm_max_tokens=99)))
    assert chat.bodies[0]["max_tokens"] == 99


async def test_an_endpoint_that_does_not_stream_is_understood(
    chat: Any, ask: Asker, answer_of: Callable[..., Any]
) -> None:
    chat.behaviours = [answer_of(200, {"choices": [{"message": {"content": "Oi inteiro."}}]})]
    assert (await ask()).text == "Oi inteiro."


@pytest.mark.parametrize("spoken", ["<think>Ela disse oi.</think>Oi!", "Nina: Oi!", "**Nina**: Oi!", "  Oi!  "])
async def test_reasoning_and_the_personas_own_name_are_not_spoken(
    chat: Any, ask: Asker, stream_of: Callable[..., Any], spoken: str
) -> None:
    chat.behaviours = [stream_of(*spoken)]
    assert (await ask()).text == "Oi!"


async def test_an_endless_answer_is_cut_at_a_sentence(chat: Any, ask: Asker, stream_of: Callable[..., Any]) -> None:
    chat.behaviours = [stream_of(*["Uma frase curta. "] * 500, done=False)]
    reply = await ask(replace(REQUEST, max_chars=60))
    assert reply.text == "Uma frase curta. Uma frase curta. Uma frase curta."


@pytest.mark.parametrize("nothing", ["", "   ", "<think>hm</think>", "Nina:"])
async def test_an_answer_without_a_word_is_an_error(
    chat: Any, ask: Asker, stream_of: Callable[..., Any], nothing: str
) -> None:
    chat.behaviours = [stream_of(nothing)]
    with pytest.raises(ReplyEmpty):
        await ask()


async def test_a_failing_server_is_tried_again(
    chat: Any, ask: Asker, answer_of: Callable[..., Any], stream_of: Callable[..., Any]
) -> None:
    chat.behaviours = [answer_of(500), answer_of(502), stream_of("Enfim.")]
    assert (await ask()).text == "Enfim."
    assert [0 <= wait_s <= most_s for wait_s, most_s in zip(ask.waits_s, (0.5, 1.0), strict=True)] == [True, True]


async def test_a_server_that_keeps_failing_is_given_up(chat: Any, ask: Asker, answer_of: Callable[..., Any]) -> None:
    chat.behaviours = [answer_of(503)]
    with pytest.raises(ReplyUnavailable):
        await ask()
    assert len(chat.bodies) == 3


@pytest.mark.parametrize(
    ("headers", "waited_s"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "Sat, 21 Nov 2026 12:00:09 GMT", "Date": "Sat, 21 Nov 2026 12:00:00 GMT"}, 9.0),
    ],
)
async def test_a_throttling_server_says_how_long_to_wait(
    chat: Any, ask: Asker, answer_of: Callable[..., Any], headers: dict[str, str], waited_s: float
) -> None:
    chat.behaviours = [answer_of(429, **headers), *chat.behaviours]
    await ask()
    assert ask.waits_s == [waited_s]


async def test_a_wait_beyond_the_deadline_is_not_begun(chat: Any, ask: Asker, answer_of: Callable[..., Any]) -> None:
    chat.behaviours = [answer_of(429, Retry_After="3600")]
    with pytest.raises(ReplyThrottled) as caught:
        await ask()
    assert (caught.value.retry_after_s, ask.waits_s) == (3600.0, [])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_refusal_is_final_and_names_the_settings(
    chat: Any, ask: Asker, answer_of: Callable[..., Any], status: int
) -> None:
    chat.behaviours = [answer_of(status)]
    with pytest.raises(ReplyRefused, match="LLM_API_KEY"):
        await ask()
    assert len(chat.bodies) == 1


async def test_a_stream_that_breaks_off_is_tried_again(chat: Any, ask: Asker, stream_of: Callable[..., Any]) -> None:
    chat.behaviours = [stream_of("Metade", done=False), stream_of("Tudo.")]
    assert (await ask()).text == "Tudo."


async def test_a_dropped_connection_is_tried_again(chat: Any, ask: Asker, stream_of: Callable[..., Any]) -> None:
    async def dropping(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    chat.behaviours = [dropping, stream_of("Oi!")]
    assert (await ask()).text == "Oi!"


async def test_nobody_listening_is_unavailable(ask: Asker, unused_tcp_port: int) -> None:
    with pytest.raises(ReplyUnavailable):
        await ask(base_url=f"http://127.0.0.1:{unused_tcp_port}/v1")


async def test_a_silent_server_meets_the_read_time_out(chat: Any, ask: Asker) -> None:
    chat.behaviours = [_silent]
    with pytest.raises(ReplyTimeout, match="ReadTimeout"):
        await ask(read_s=0.02, max_tries=1)


async def test_all_tries_together_meet_the_total_time_out(chat: Any, ask: Asker) -> None:
    chat.behaviours = [_silent]
    with pytest.raises(ReplyTimeout, match="no answer within"):
        await ask(total_s=0.05)


@pytest.mark.parametrize("base_url", ["no-scheme", "http://[", "ftp://example.org"])
async def test_an_unusable_address_is_a_typed_error(ask: Asker, base_url: str) -> None:
    with pytest.raises(ReplyError):
        await ask(base_url=base_url)


async def test_what_was_said_before_goes_along_in_its_roles(chat: Any, ask: Asker) -> None:
    history = (Line(role="person", text="Oi", at_ms=1), Line(role="persona", text="Olá!", at_ms=2))
    await ask(replace(REQUEST, history=history))
    system, *rest = chat.bodies[0]["messages"]
    assert NINA.system_prompt.strip() in system["content"]
    assert [(one["role"], one["content"]) for one in rest] == [
        ("user", "<person>Oi</person>"),
        ("assistant", "Olá!"),
        ("user", "<person>Oi, tudo bem?</person>"),
    ]


async def _silent(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    await asyncio.Event().wait()
    return response
