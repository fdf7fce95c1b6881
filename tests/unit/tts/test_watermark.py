import numpy as np
import pytest

from tts import watermark as module
from tts.audio.decode import decode
from tts.audio.opus import OpusChoices, encode_voice_note
from tts.composition import build_speaker
from tts.contract import PcmAudio, SourceKind, Utterance, Voice, VoiceSource
from tts.engines.kokoro import KokoroEngine
from tts.errors import EngineUnavailable
from tts.settings import TtsSettings
from tts.watermark import MARKED_FROM, PerthWatermark, watermark_installed

needs_extra = pytest.mark.skipif(not watermark_installed(), reason="needs the extra watermark")


def speech() -> PcmAudio:
    voice = Voice(id="v", language="en", sources=(VoiceSource(kind=SourceKind.STYLE, ref="jm_kumo"),))
    text = "Your order has left the house and should arrive tomorrow."
    engine = KokoroEngine()
    engine.load()
    (take,) = engine.synthesize([Utterance(text=text, language="en", voice=voice, expected_s=4.0)])
    engine.close()
    assert isinstance(take, PcmAudio)
    return take


@needs_extra
@pytest.mark.speech
def test_a_marked_note_is_told_from_a_clean_one_after_encoding() -> None:
    watermark, clean = PerthWatermark(), speech()
    marked = watermark.apply(clean)

    assert (marked.sample_rate_hz, marked.samples.shape) == (clean.sample_rate_hz, clean.samples.shape)
    difference_db = 20 * np.log10(np.std(marked.samples - clean.samples) / np.std(clean.samples))
    assert difference_db < -10
    scores = [watermark.score(decode(encode_voice_note(audio, OpusChoices())).audio) for audio in (marked, clean)]
    assert scores[0] >= MARKED_FROM > scores[1]


async def test_wanted_and_missing_it_lets_nothing_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_self: PerthWatermark) -> None:
        raise EngineUnavailable("install the extra `watermark`")

    monkeypatch.setattr(module.PerthWatermark, "load", missing)
    settings = TtsSettings(_env_file=None, watermark=True, tts_engines=("espeak",))
    speaker = build_speaker(settings, on_lost=lambda _name, _suspects: None)

    with pytest.raises(EngineUnavailable, match="watermark"):
        await speaker.start()
    await speaker.close()
