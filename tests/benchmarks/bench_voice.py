"""What a note costs beside its engine, what encoding costs, how fast Kokoro speaks, and what the processes weigh."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import psutil

from tests.stack import HOST, Stack
from tts.audio.opus import OpusChoices, encode_voice_note
from tts.contract import PcmAudio, SourceKind, Utterance, Voice, VoiceSource
from tts.engines.kokoro import KokoroEngine
from tts.text import expected_duration_s

QUESTIONS = ("quem é você?", "me conta uma piada", "qual é a sua comida favorita?", "estou cansada hoje")
NOTES = len(QUESTIONS)
SENTENCES = (
    "O café da manhã fica pronto às sete e meia, e o pão de queijo sai do forno logo depois.",
    "Amanhã de tarde eu passo aí para buscar os livros e a gente conversa com calma.",
    "A previsão é de chuva no fim do dia, então não esqueça o guarda-chuva na porta.",
)
KUMO = Voice(id="bench", language="pt-BR", stand_in=(VoiceSource(kind=SourceKind.STYLE, ref="jm_kumo"),))
_SUM = re.compile(r'recado_(stage|engine)_seconds_sum\{(?:stage|engine)="(\w+)"\} ([\d.e+-]+)')


async def test_a_note_costs_little_beside_its_engine(tmp_path: Path) -> None:
    """Whole turns through web, worker and emulator: everything the worker did, against the engine's own seconds."""
    async with Stack(tmp_path, {"RATE_LIMIT_PER_MINUTE": "1000"}) as stack:
        hello = await stack.write("ana", "oi")
        await stack.answers_after("ana", hello, 2)
        before = await sums(stack)
        for question in QUESTIONS:  # each another one, or the loop guard steps in
            asked = await stack.write("ana", question)
            await stack.answers_after("ana", asked, 1)
        await stack.until_quiet()
        after = await sums(stack)
        web, worker = (psutil.Process(stack.supervisor.pid(name)) for name in ("web", "worker"))
        memory = {"web": web.memory_info().rss, "worker": worker.memory_info().rss}
    spent = {name: after[name] - before.get(name, 0.0) for name in after}
    engine_s = spent.pop("kokoro")
    rest_s = sum(spent.values()) - engine_s
    print(f"\na voice note's turn, mean of {NOTES}: engine {engine_s / NOTES:.2f} s, all else {rest_s / NOTES:.3f} s")
    print(f"  all else / engine: {rest_s / engine_s:.1%} (aim: 10 % or less)")
    print("  " + ", ".join(f"{name} {seconds / NOTES:.3f} s" for name, seconds in spent.items()))
    print("memory: " + ", ".join(f"{name} {rss / 2**20:.0f} MiB" for name, rss in memory.items()))


async def sums(stack: Stack) -> dict[str, float]:
    text = (await stack.http.get(f"http://{HOST}:{stack.worker_port}/metrics")).text
    return {name: float(value) for _, name, value in _SUM.findall(text)}


def test_kokoro_at_one_and_two_threads() -> None:
    """Real-time factor: seconds of work a second of speech."""
    print("\nKokoro real-time factor")
    for threads in (1, 2, 1, 2):
        engine = KokoroEngine(threads=threads)
        engine.load()
        batch = [
            Utterance(text=text, language="pt-BR", voice=KUMO, expected_s=expected_duration_s(text, "pt-BR"))
            for text in SENTENCES
        ]
        began = time.perf_counter()
        spoken = [one for one in engine.synthesize(batch) if isinstance(one, PcmAudio)]
        took_s = time.perf_counter() - began
        audio_s = sum(one.duration_s for one in spoken)
        engine.close()
        assert len(spoken) == len(SENTENCES)
        print(f"  {threads} thread{'s' * (threads > 1)}: {took_s / audio_s:.2f} ({took_s:.1f} s for {audio_s:.1f} s)")


def test_encoding_a_second_of_audio() -> None:
    """Milliseconds of encoding a second of speech, for a short and a long note."""
    engine = KokoroEngine(threads=2)
    engine.load()
    text = " ".join(SENTENCES)
    utterance = Utterance(text=text, language="pt-BR", voice=KUMO, expected_s=expected_duration_s(text, "pt-BR"))
    (spoken,) = engine.synthesize([utterance])
    engine.close()
    assert isinstance(spoken, PcmAudio)
    print()
    for repeats in (1, 6):
        audio = PcmAudio(samples=np.tile(spoken.samples, repeats), sample_rate_hz=spoken.sample_rate_hz)
        began = time.perf_counter()
        note = encode_voice_note(audio, OpusChoices())
        took_s = time.perf_counter() - began
        cost_ms = took_s / audio.duration_s * 1000
        print(f"encoding {audio.duration_s:.0f} s: {cost_ms:.1f} ms a second, {len(note):,} bytes")
