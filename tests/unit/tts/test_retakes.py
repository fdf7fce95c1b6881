"""What becomes of a segment whose takes are refused: another seed, then two parts, then the next engine."""

from collections.abc import AsyncIterator

import pytest

from tts.batch_choice import BatchPolicy
from tts.batching import Device
from tts.breaker import BreakerPolicy
from tts.casting import Casting
from tts.contract import PcmAudio, SourceKind, Utterance, Voice, VoiceSource
from tts.engines.fake import FakeEngine
from tts.errors import TakeRejected
from tts.gate import Verdict
from tts.material import MemoryMaterial
from tts.slots import EngineSlot
from tts.text.halves import halves

TEXT = "The first half is here, and the second half is there."
VOICE = Voice(id="v", language="en", sources=(VoiceSource(kind=SourceKind.STYLE, ref="low"),))


class Refuses:
    """Refuses the texts it is told to; the score is the length of what it heard."""

    def __init__(self, *texts: str) -> None:
        self._texts = texts

    async def judge(self, audio: PcmAudio, utterance: Utterance) -> Verdict:
        refused = utterance.text in self._texts
        return Verdict(
            reasons=(f"refused {utterance.text[:9]}",) if refused else (), scores=(("drone_s", audio.duration_s),)
        )


@pytest.fixture
async def device() -> AsyncIterator[Device]:
    device = Device("test")
    yield device
    device.close()


async def loaded(device: Device, engine: FakeEngine, gate: Refuses) -> EngineSlot:
    slot = EngineSlot(
        "fake",
        engine,
        device=device,
        batching=BatchPolicy(max_batch=4, max_wait_s=0.0, deadline_s=60.0),
        breaker=BreakerPolicy(failures=2, window_s=60.0, recovery_s=30.0),
        gate=gate,
        casting=Casting(MemoryMaterial()),
        takes=2,
        on_lost=lambda _name, _suspects: None,
        on_batch=lambda _stats: None,
    )
    await slot.load()
    return slot


def said(text: str = TEXT, *, expected_s: float = 4.0) -> Utterance:
    return Utterance(text=text, language="en", voice=VOICE, expected_s=expected_s)


def texts(engine: FakeEngine) -> list[str]:
    return [utterance.text for batch in engine.batches for utterance in batch]


async def test_a_segment_refused_twice_is_spoken_in_two_parts(device: Device) -> None:
    engine = FakeEngine()
    slot = await loaded(device, engine, Refuses(TEXT))

    rendering = await slot.render([said()])
    await slot.close()

    assert texts(engine) == [TEXT, TEXT, "The first half is here,", "and the second half is there."]
    assert rendering.segments[0].duration_s == pytest.approx(4.0, abs=0.2)
    assert rendering.refused == ("refused The first", "refused The first")


async def test_an_engine_that_cannot_vary_parts_at_once(device: Device) -> None:
    engine = FakeEngine(deterministic=True)
    slot = await loaded(device, engine, Refuses(TEXT))

    await slot.render([said()])
    await slot.close()

    assert len(texts(engine)) == 3


async def test_parts_are_not_parted_again(device: Device) -> None:
    engine = FakeEngine()
    slot = await loaded(device, engine, Refuses(TEXT, "The first half is here,"))

    with pytest.raises(TakeRejected, match="refused The first"):
        await slot.render([said()])
    await slot.close()

    assert "The first half" not in texts(engine)


@pytest.mark.parametrize(("text", "expected_s"), [(TEXT, 1.5), ("Supercalifragilistic", 3.0)])
async def test_what_is_too_short_or_one_word_is_not_parted(device: Device, text: str, expected_s: float) -> None:
    engine = FakeEngine()
    slot = await loaded(device, engine, Refuses(text))

    with pytest.raises(TakeRejected):
        await slot.render([said(text, expected_s=expected_s)])
    await slot.close()

    assert texts(engine) == [text, text]


async def test_the_rendering_has_the_worst_score_of_its_segments(device: Device) -> None:
    slot = await loaded(device, FakeEngine(), Refuses())

    rendering = await slot.render([said("one", expected_s=1.0), said("two", expected_s=3.0)])
    await slot.close()

    assert rendering.scores == (("drone_s", pytest.approx(3.0)),)
    assert rendering.refused == ()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One two. Three four, five six seven.", ("One two.", "Three four, five six seven.")),
        ("One two, three four five", ("One two,", "three four five")),
        ("one two three four", ("one two", "three four")),
        ("今日は。良い天気", ("今日は。", "良い天気")),
        ("今日は良い天気", ("今日は", "良い天気")),
        ("word", None),
        ("", None),
    ],
)
def test_a_text_is_parted_where_it_is_heard_least(text: str, parts: tuple[str, str] | None) -> None:
    assert halves(text) == parts
