"""How much of the watermark is left once a note is encoded: `make benchmarks PYTEST_ARGS="-k watermark"`.

Real speech of the embedded voice, 24 sentences in three styles; clean notes are scored as well, for the false alarms.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tts.audio.decode import decode
from tts.audio.loudness import level_speech
from tts.audio.opus import OpusChoices, encode_voice_note
from tts.contract import PcmAudio, SourceKind, Utterance, Voice, VoiceSource
from tts.engines.kokoro import KokoroEngine
from tts.text import expected_duration_s
from tts.watermark import MARKED_FROM, PerthWatermark, watermark_installed

pytestmark = pytest.mark.skipif(not watermark_installed(), reason="needs the extra watermark")

SENTENCES = {
    "pt-BR": (
        "Bom dia! O seu pedido já saiu para entrega e deve chegar amanhã de manhã.",
        "Não se preocupe, a gente resolve isso juntos, passo a passo.",
        "A loja abre de segunda a sexta, das nove às dezoito horas.",
        "Eu adoro ouvir música enquanto cozinho, principalmente samba antigo.",
    ),
    "en": (
        "Good morning! Your order has left the house and should arrive tomorrow.",
        "Do not worry, we will work this out together, step by step.",
        "The shop is open from Monday to Friday, nine in the morning to six.",
        "I love listening to music while I cook, especially old jazz.",
    ),
}
STYLES = ("jm_kumo", "jf_alpha", "jf_nezumi")
CODINGS = {
    "24 kbit/s, 16 kHz (the default)": OpusChoices(),
    "16 kbit/s, 16 kHz (long notes)": OpusChoices(bitrate_bps=16_000),
    "12 kbit/s, 16 kHz": OpusChoices(bitrate_bps=12_000),
    "8 kbit/s, 16 kHz (the longest)": OpusChoices(bitrate_bps=8_000),
    "32 kbit/s, 24 kHz": OpusChoices(bitrate_bps=32_000, sample_rate_hz=24_000),
}


@pytest.fixture(scope="module")
def clips() -> list[PcmAudio]:
    return list(_spoken())


def _spoken() -> Iterator[PcmAudio]:
    engine = KokoroEngine(threads=2)
    engine.load()
    for style in STYLES:
        for language, sentences in SENTENCES.items():
            voice = Voice(id="v", language=language, sources=(VoiceSource(kind=SourceKind.STYLE, ref=style),))
            for text in sentences:
                expected_s = expected_duration_s(text, language)
                (take,) = engine.synthesize(
                    [Utterance(text=text, language=language, voice=voice, expected_s=expected_s)]
                )
                assert isinstance(take, PcmAudio)
                yield level_speech(take)
    engine.close()


def test_what_is_left_of_the_watermark(clips: list[PcmAudio]) -> None:
    """Scores of marked and of clean notes, and how many of each count as marked."""
    watermark = PerthWatermark()
    marked = [watermark.apply(clip) for clip in clips]
    print(f"\n{len(clips)} clips, {sum(clip.duration_s for clip in clips):.0f} s of speech")
    _report("not encoded", watermark, marked, clips)
    for name, choices in CODINGS.items():
        heard = [[decode(encode_voice_note(one, choices)).audio for one in many] for many in (marked, clips)]
        _report(name, watermark, *heard)


def _report(name: str, watermark: PerthWatermark, marked: list[PcmAudio], clean: list[PcmAudio]) -> None:
    ours, others = (np.array([watermark.score(one) for one in many]) for many in (marked, clean))
    print(
        f"  {name:32} found {np.sum(ours >= MARKED_FROM)}/{len(ours)} (score {ours.min():.2f} to {ours.max():.2f}),"
        f" false alarms {np.sum(others >= MARKED_FROM)}/{len(others)} (highest {others.max():.3f})"
    )
