from pathlib import Path

import numpy as np
import pytest

from tts.contract import PcmAudio, SourceKind, Utterance, Voice, VoiceSource
from tts.engines import kokoro
from tts.engines.kokoro import STYLES, KokoroEngine
from tts.errors import BadVoice, EngineUnavailable

pytestmark = pytest.mark.speech


@pytest.fixture(scope="module")
def engine() -> KokoroEngine:
    engine = KokoroEngine(threads=2)
    engine.load()
    return engine


def style(ref: str, weight: float = 1.0) -> VoiceSource:
    return VoiceSource(kind=SourceKind.STYLE, ref=ref, weight=weight)


def say(
    engine: KokoroEngine, text: str = "Bom dia!", *, language: str = "pt-BR", speed: float = 1.0,
    sources: tuple[VoiceSource, ...] = (style("jm_kumo"),),
) -> object:  # fmt: skip
    voice = Voice(id="v", language=language, sources=sources, speed=speed)
    return engine.synthesize([Utterance(text=text, language=language, voice=voice, expected_s=1.0)])[0]


def samples(take: object) -> np.ndarray:
    assert isinstance(take, PcmAudio)
    return take.samples


def test_the_named_styles_are_the_packaged_ones(engine: KokoroEngine) -> None:
    assert engine._model is not None
    assert set(engine._model.styles) == set(STYLES)


def test_the_same_words_sound_the_same_twice(engine: KokoroEngine) -> None:
    assert (samples(say(engine)) == samples(say(engine))).all()


def test_a_blend_sounds_like_neither_parent(engine: KokoroEngine) -> None:
    blend = samples(say(engine, sources=(style("jm_kumo", 0.6), style("jf_alpha", 0.4))))

    for parent in ("jm_kumo", "jf_alpha"):
        alone = samples(say(engine, sources=(style(parent),)))
        assert len(alone) != len(blend) or not np.allclose(alone, blend, atol=0.01)


def test_only_the_proportion_of_weights_matters(engine: KokoroEngine) -> None:
    shares = samples(say(engine, sources=(style("jm_kumo", 0.5), style("jf_alpha", 0.5))))
    points = samples(say(engine, sources=(style("jm_kumo", 30), style("jf_alpha", 30))))

    assert (shares == points).all()


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ((style("nobody"),), "valid: jf_alpha, jf_gongitsune"),
        ((style("jm_kumo", 0.0),), "all weights"),
        ((style("jm_kumo", -1.0), style("jf_alpha")), "0 or more"),
        ((), "no style"),
    ],
)
def test_a_mix_that_cannot_be_is_refused(engine: KokoroEngine, sources: tuple[VoiceSource, ...], message: str) -> None:
    refusal = say(engine, sources=sources)

    assert isinstance(refusal, BadVoice)
    assert message in str(refusal)


@pytest.mark.parametrize("speed", [0.1, 3.0])
def test_a_speed_that_breaks_speech_is_refused(engine: KokoroEngine, speed: float) -> None:
    assert isinstance(say(engine, speed=speed), BadVoice)


def test_a_faster_voice_takes_less_time(engine: KokoroEngine) -> None:
    text = "O pedido já saiu para entrega."

    assert len(samples(say(engine, text, speed=1.5))) < 0.8 * len(samples(say(engine, text)))


def test_a_text_of_more_sounds_than_the_model_takes_is_spoken_whole(
    engine: KokoroEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "Um, dois, três, quatro. Cinco, seis, sete."
    at_once = samples(say(engine, text))
    monkeypatch.setattr(kokoro, "MAX_TOKENS", 25)

    assert len(samples(say(engine, text))) == pytest.approx(len(at_once), rel=0.35)


def test_a_damaged_model_is_refused_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kokoro, "_PARTS", kokoro._PARTS[:1])

    with pytest.raises(EngineUnavailable, match=r"damaged.*reinstall"):
        KokoroEngine().load()


def test_a_missing_model_file_is_refused_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="missing"):
        KokoroEngine(model_path=tmp_path / "none.onnx").load()


def test_bytes_of_another_package_are_refused_whatever_hash_it_brings(monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = kokoro._packaged
    monkeypatch.setattr(kokoro, "_packaged", lambda name: packaged(name) + (b" " if name == "vocab.json" else b""))

    with pytest.raises(EngineUnavailable, match=r"vocab\.json is damaged or another"):
        KokoroEngine().load()


def test_a_folder_stands_in_for_all_of_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in kokoro._SHA256:
        (tmp_path / name).write_bytes(kokoro._packaged(name))
    monkeypatch.setattr(kokoro, "_packaged", lambda name: pytest.fail(f"asked the packages for {name}"))

    KokoroEngine(model_path=tmp_path).load()
