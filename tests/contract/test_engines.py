"""One suite for every engine: what `tts.contract.Engine` promises, whoever keeps it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial

import numpy as np
import pytest

from tests.unit.tts.engines.speech_server import SpeechServer, running
from tts.contract import CastingEngine, Engine, PcmAudio, PreparedSource, SourceKind, Utterance, Voice, VoiceSource
from tts.engines.bark import BarkEngine
from tts.engines.espeak import EspeakEngine
from tts.engines.fake import FakeEngine, tone
from tts.engines.kokoro import KokoroEngine
from tts.engines.qwen3 import Checkpoints, Placement, Qwen3Choices, Qwen3Engine
from tts.engines.remote import RemoteEngine
from tts.engines.xtts import XttsEngine
from tts.errors import TtsError
from tts.languages import match_language
from tts.speech_address import Dialect
from tts.text import expected_duration_s

SENTENCES = {
    "en": ("Good morning.", "Your order has left the house and should arrive tomorrow.", "See you soon!"),
    "pt-BR": ("Bom dia.", "O seu pedido já saiu de casa e deve chegar amanhã.", "Até logo!"),
}


def xtts(request: pytest.FixtureRequest) -> Engine:
    """A random checkpoint speaks noise up to its cap, so the cap is what was expected."""
    return XttsEngine(model=str(request.getfixturevalue("tiny_xtts")), device="cpu", cap_ratio=1.0)


def qwen3(request: pytest.FixtureRequest) -> Engine:
    """A random checkpoint that ends its takes with their text."""
    base = request.getfixturevalue("tiny_qwen3") / "base"
    return Qwen3Engine(Qwen3Choices(checkpoints=Checkpoints(base=str(base)), placement=Placement(device="cpu")))


def bark(request: pytest.FixtureRequest) -> Engine:
    """A random checkpoint speaks noise up to its cap, so the cap is what was expected."""
    return BarkEngine(model=str(request.getfixturevalue("tiny_bark")), device="cpu", cap_ratio=1.0)


def remote(request: pytest.FixtureRequest, dialect: Dialect) -> Engine:
    """A real server of that dialect that speaks tones."""
    server = SpeechServer(dialect=dialect)
    stack = ExitStack()
    stack.enter_context(running(server))
    request.addfinalizer(stack.close)
    return RemoteEngine([server.address])


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(lambda _request: FakeEngine(), id="fake"),
        pytest.param(lambda _request: EspeakEngine(), id="espeak", marks=pytest.mark.speech),
        pytest.param(lambda _request: KokoroEngine(), id="kokoro", marks=pytest.mark.speech),
        pytest.param(qwen3, id="qwen3"),
        pytest.param(xtts, id="xtts"),
        pytest.param(bark, id="bark"),
        *(pytest.param(partial(remote, dialect=dialect), id=f"remote-{dialect}") for dialect in Dialect),
    ],
)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine: Engine = request.param(request)
    engine.load()
    yield engine
    engine.close()


def voice(engine: Engine) -> Voice:
    name = engine.info.names[-1] if engine.info.names else "any"
    kinds = (SourceKind.STYLE, SourceKind.TIMBRE, SourceKind.SAMPLE)
    kind = next(kind for kind in kinds if kind in engine.info.source_kinds)
    return Voice(id="v", language="en", sources=(VoiceSource(kind=kind, ref=name),))


def prepared(source: VoiceSource) -> PreparedSource:
    return PreparedSource(source=source, audio=tone("la", seconds=3) if source.kind is SourceKind.SAMPLE else None)


def utterance(engine: Engine, text: str, language: str = "en") -> Utterance:
    spoken_by = voice(engine)
    profile = None
    if isinstance(engine, CastingEngine):
        profile = engine.cast(spoken_by, [prepared(source) for source in spoken_by.sources])
    return Utterance(
        text=text,
        language=language,
        voice=spoken_by,
        expected_s=expected_duration_s(text, language),
        profile=profile,
    )


def spoken(results: Sequence[PcmAudio | TtsError]) -> list[PcmAudio]:
    assert all(isinstance(result, PcmAudio) for result in results)
    return [result for result in results if isinstance(result, PcmAudio)]


def test_an_empty_batch_gives_an_empty_result(engine: Engine) -> None:
    assert engine.synthesize([]) == []


@pytest.mark.parametrize("language", SENTENCES)
def test_every_sentence_becomes_finite_audio_that_does_not_clip(engine: Engine, language: str) -> None:
    takes = spoken(engine.synthesize([utterance(engine, text, language) for text in SENTENCES[language]]))

    for take in takes:
        assert take.samples.dtype == np.float32
        assert take.samples.ndim == 1
        assert np.isfinite(take.samples).all()
        assert 0.01 < np.abs(take.samples).max() <= 1.0
        assert np.mean(np.abs(take.samples) >= 0.999) < 0.005


@pytest.mark.parametrize("language", SENTENCES)
def test_a_take_is_about_as_long_as_expected(engine: Engine, language: str) -> None:
    asked = [utterance(engine, text, language) for text in SENTENCES[language]]

    for take, item in zip(spoken(engine.synthesize(asked)), asked, strict=True):
        assert item.expected_s * 0.4 - 0.5 < take.duration_s < item.expected_s * 2.2 + 0.8


def test_audio_has_the_declared_rate(engine: Engine) -> None:
    (take,) = spoken(engine.synthesize([utterance(engine, "Good morning.")]))

    assert take.sample_rate_hz == engine.info.sample_rate_hz


def test_results_stand_in_the_order_of_the_batch(engine: Engine) -> None:
    short, long = utterance(engine, "Yes."), utterance(engine, SENTENCES["en"][1])

    first, second, third = spoken(engine.synthesize([short, long, short]))

    assert first.duration_s < second.duration_s > third.duration_s


def test_one_bad_utterance_costs_its_neighbours_nothing(engine: Engine) -> None:
    good = utterance(engine, "Good morning.")
    bad = utterance(engine, " ")

    first, refused, third = engine.synthesize([good, bad, good])

    assert isinstance(refused, TtsError)
    assert len(spoken([first, third])) == 2


def test_a_neighbour_makes_no_difference_to_what_is_said(engine: Engine) -> None:
    item = utterance(engine, "Good morning.")

    (alone,) = spoken(engine.synthesize([item]))
    (_, together) = spoken(engine.synthesize([utterance(engine, "See you soon!"), item]))

    assert len(alone.samples) == pytest.approx(len(together.samples), rel=0.02)


def test_a_language_it_does_not_speak_is_refused_with_those_it_does(engine: Engine) -> None:
    (result,) = engine.synthesize([utterance(engine, "Bom dia.", "xx")])

    if engine.info.languages:
        assert isinstance(result, TtsError)
        assert "valid: " in str(result)
    else:
        assert isinstance(result, PcmAudio)


def test_its_languages_include_the_two_that_matter_most(engine: Engine) -> None:
    if engine.info.languages:
        assert match_language("en", engine.info.languages)
        assert match_language("pt-BR", engine.info.languages)


def test_capabilities_are_complete(engine: Engine) -> None:
    info = engine.info

    assert info.name
    assert info.model
    assert info.licence
    assert info.max_batch >= 1
    assert info.source_kinds


def test_loading_twice_is_loading_once(engine: Engine) -> None:
    engine.load()

    assert spoken(engine.synthesize([utterance(engine, "Good morning.")]))


def test_it_can_be_closed_and_loaded_again(engine: Engine) -> None:
    engine.close()
    engine.load()

    assert spoken(engine.synthesize([utterance(engine, "Good morning.")]))
