"""What every reply generator owes, the shipped fake included."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import orjson
import pytest

from bot.conversation import Line
from bot.persona import shipped_personas
from bot.replies.chain import FallbackReplies
from bot.replies.contract import ReplyError, ReplyGenerator, ReplyRequest, ReplySource
from bot.replies.fake import FakeReplies
from bot.replies.llm import LlmEndpoint, LlmReplies
from bot.replies.script import ScriptReplies

NINA, THEO = shipped_personas()
QUIET = replace(NINA, intents=(), greeting="-", fallbacks=("-",))
REQUEST = ReplyRequest(
    persona=NINA,
    language="pt-BR",
    text="Oi! Me conta uma história?",
    max_chars=300,
    now_ms=1_795_262_400_000,
    history=(Line(role="person", text="Oi", at_ms=1), Line(role="persona", text="Olá!", at_ms=2)),
    person_name="Ana",
)
ENDPOINT = LlmEndpoint(base_url="http://chat.test/v1", model="m", max_tries=1)


def telling(request: httpx.Request) -> httpx.Response:
    event = {"choices": [{"delta": {"content": "Era uma vez. " * 60}, "finish_reason": "stop"}]}
    return httpx.Response(200, content=b"data: " + orjson.dumps(event) + b"\n\n")


def failing(request: httpx.Request) -> httpx.Response:
    return httpx.Response(500)


@pytest.fixture(params=["llm", "script", "chain", "chain that falls back", "chain of nothing", "fake"])
async def generator(request: pytest.FixtureRequest) -> AsyncIterator[ReplyGenerator]:
    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(telling)) as well,
        httpx.AsyncClient(transport=httpx.MockTransport(failing)) as ill,
    ):
        made: dict[str, ReplyGenerator] = {
            "llm": LlmReplies(ENDPOINT, well),
            "script": ScriptReplies(),
            "chain": FallbackReplies([LlmReplies(ENDPOINT, well), ScriptReplies()]),
            "chain that falls back": FallbackReplies([LlmReplies(ENDPOINT, ill), ScriptReplies()]),
            "chain of nothing": FallbackReplies([]),
            "fake": FakeReplies(),
        }
        yield made[request.param]


async def test_there_are_words_and_a_known_source(generator: ReplyGenerator) -> None:
    reply = await generator.reply(REQUEST)
    assert reply.text == reply.text.strip() != ""
    assert reply.source in ReplySource


@pytest.mark.parametrize("max_chars", [20, 60, 4096])
async def test_a_reply_is_never_too_long(generator: ReplyGenerator, max_chars: int) -> None:
    assert len((await generator.reply(replace(REQUEST, max_chars=max_chars))).text) <= max_chars


async def test_one_generator_serves_many_personas(generator: ReplyGenerator) -> None:
    for persona in (NINA, THEO, NINA):
        asked = replace(REQUEST, persona=persona, language=persona.language)
        assert (await generator.reply(asked)).text


async def test_first_contact_without_history_or_name_is_answered(generator: ReplyGenerator) -> None:
    assert (await generator.reply(replace(REQUEST, history=(), person_name=None))).text


async def test_what_was_said_does_not_show_in_a_representation(generator: ReplyGenerator) -> None:
    asked = replace(REQUEST, text="um segredo nosso", person_name="Zuleica")
    reply = await generator.reply(asked)
    assert reply.text not in repr(reply)
    assert [word for word in ("segredo", "Zuleica", "Olá!") if word in repr(replace(asked, persona=QUIET))] == []


@pytest.mark.parametrize(
    ("outcomes", "source"),
    [
        ((["Do modelo."], ["Do roteiro."]), "Do modelo."),
        (([ReplyError("down")], ["Do roteiro."]), "Do roteiro."),
    ],
)
async def test_a_chain_gives_the_first_answer_there_is(
    outcomes: tuple[list[str | ReplyError], ...], source: str
) -> None:
    chain = FallbackReplies([FakeReplies(one) for one in outcomes])
    assert (await chain.reply(REQUEST)).text == source


async def test_when_nothing_answers_the_apology_does_in_the_right_language() -> None:
    chain = FallbackReplies([FakeReplies([ReplyError("down")]), FakeReplies([ReplyError("down too")])])
    reply = await chain.reply(REQUEST)
    assert (reply.source, reply.text[:8]) == (ReplySource.APOLOGY, "Desculpe")
