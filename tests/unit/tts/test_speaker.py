import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from tts.audio.decode import decode
from tts.audio.opus import AudioFormat, OpusChoices
from tts.audio.voice_note import validate_voice_note
from tts.batching import BatchPolicy, Device
from tts.breaker import BreakerPolicy
from tts.contract import Attempt, SourceKind, Utterance, Voice, VoiceSource
from tts.engines.fake import FakeEngine
from tts.errors import BadText, DeadlineExceeded, EngineFailed, NoVoice
from tts.gate import GateLimits
from tts.settings import TtsSettings
from tts.slots import EngineSlot, EngineState, EngineStatus
from tts.speaker import Speaker, build_speaker

LOW = VoiceSource(kind=SourceKind.STYLE, ref="low")
SAMPLE = VoiceSource(kind=SourceKind.SAMPLE, ref="ab" * 32)
VOICE = Voice(id="nina", language="pt-BR", sources=(SAMPLE,), stand_in=(LOW,), version=3)
TEXT = "Olá! Tudo bem com você?"
LONG_TEXT = "O pedido saiu hoje cedo para a entrega, e o motorista já está perto da sua casa. " * 12


async def _no_sleep(_seconds: float) -> None:
    return


AT_ONCE = BatchPolicy(max_batch=16, max_wait_s=0.0, deadline_s=60.0)


def slot(engine: FakeEngine, device: Device, batching: BatchPolicy) -> EngineSlot:
    return EngineSlot(
        engine.info.name,
        engine,
        device=device,
        batching=batching,
        breaker=BreakerPolicy(),
        gate=GateLimits(),
        takes=1,
        on_hung=lambda _name, _suspects: None,
        on_batch=lambda _stats: None,
        sleep=_no_sleep,
    )


class House:
    """A speaker over a large fake engine that clones and a light one that only has styles."""

    def __init__(self, batching: BatchPolicy = AT_ONCE) -> None:
        self.large = FakeEngine(name="large", source_kinds=frozenset({SourceKind.SAMPLE}))
        self.light = FakeEngine(name="light")
        devices = [Device("gpu"), Device("cpu")]
        slots = [slot(self.large, devices[0], batching), slot(self.light, devices[1], batching)]
        self.speaker = Speaker(slots, devices=devices, opus=OpusChoices())


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    await house.speaker.start()
    yield house
    for engine in (house.large, house.light):
        if engine.hold is not None:
            engine.hold.set()
    await house.speaker.close()


def told(attempts: Sequence[Attempt]) -> list[tuple[str, str]]:
    return [(attempt.engine, attempt.outcome) for attempt in attempts]


async def test_a_note_is_a_proper_voice_note_of_its_stated_length(house: House) -> None:
    note = await house.speaker.speak(TEXT, VOICE)

    facts = validate_voice_note(note.data, max_bytes=512_000)
    assert note.duration_s == pytest.approx(facts.duration_s, abs=0.002)
    assert note.mime == "audio/ogg; codecs=opus"


async def test_a_note_tells_whose_voice_it_is_and_who_spoke(house: House) -> None:
    note = await house.speaker.speak(TEXT, VOICE)

    assert (note.voice_id, note.voice_version, note.engine, note.model, note.language) == (
        "nina", 3, "large", "tone", "pt-BR",
    )  # fmt: skip


async def test_a_note_has_the_loudness_of_a_voice_note(house: House) -> None:
    assert (await house.speaker.speak(TEXT, VOICE)).loudness_dbfs == pytest.approx(-20, abs=1)


async def test_a_long_text_is_one_note_of_many_segments(house: House) -> None:
    note = await house.speaker.speak(LONG_TEXT, VOICE)

    spoken = [utterance for batch in house.large.batches for utterance in batch]
    assert len(note.spoken) > 1
    assert sorted(utterance.text for utterance in spoken) == sorted(note.spoken)
    assert note.duration_s == pytest.approx(sum(item.expected_s for item in spoken), rel=0.2)


async def test_what_the_first_engine_cannot_do_the_next_one_does(house: House) -> None:
    house.large.raises = EngineFailed("out of order")

    note = await house.speaker.speak(TEXT, VOICE)

    assert told(note.attempts) == [("large", "EngineFailed"), ("light", "ok")]
    assert note.attempts[0].reason == "out of order"


async def test_a_voice_without_stand_in_becomes_no_voice_rather_than_a_strangers(house: House) -> None:
    house.large.raises = EngineFailed("out of order")

    with pytest.raises(NoVoice) as caught:
        await house.speaker.speak(TEXT, replace(VOICE, stand_in=()))

    assert told(caught.value.attempts) == [
        ("light", "skipped"), ("large", "EngineFailed"),
    ]  # fmt: skip
    assert house.light.batches == []


async def test_a_note_that_takes_too_long_is_given_up_with_what_was_tried(house: House) -> None:
    house.large.hold = threading.Event()

    with pytest.raises(DeadlineExceeded, match="no note within") as caught:
        await house.speaker.speak(TEXT, VOICE, deadline_s=0.05)

    assert told(caught.value.attempts) == [("large", "DeadlineExceeded")]


async def test_text_without_words_is_refused_before_any_engine_is_asked(house: House) -> None:
    with pytest.raises(BadText):
        await house.speaker.speak("…", VOICE)

    assert house.large.batches == house.light.batches == []


async def test_a_faster_voice_is_expected_to_take_less_time(house: House) -> None:
    await house.speaker.speak(TEXT, VOICE)
    await house.speaker.speak(TEXT, replace(VOICE, speed=2.0))

    (usual,), (fast,) = house.large.batches
    assert fast.expected_s == pytest.approx(usual.expected_s / 2)


async def test_the_longest_spoken_time_cuts_the_note_and_says_so(house: House) -> None:
    note = await house.speaker.speak(LONG_TEXT, VOICE, max_spoken_s=10)

    assert note.truncated
    assert note.duration_s < 14


async def test_the_plan_is_what_will_be_spoken(house: House) -> None:
    plan = house.speaker.plan(LONG_TEXT, VOICE)

    note = await house.speaker.speak(LONG_TEXT, VOICE)

    assert tuple(segment.text for segment in plan.segments) == note.spoken


async def test_the_callers_seed_wins_over_the_voices(house: House) -> None:
    voice = replace(VOICE, seed=1)

    await house.speaker.speak(TEXT, voice)
    await house.speaker.speak(TEXT, voice, seed=9)

    assert [batch[0].seed for batch in house.large.batches] == [1, 9]


@pytest.mark.parametrize("audio_format", AudioFormat)
async def test_every_container_can_be_asked_for(house: House, audio_format: AudioFormat) -> None:
    note = await house.speaker.speak(TEXT, VOICE, audio_format=audio_format)

    assert note.mime == audio_format.mime
    assert decode(note.data).audio.duration_s == pytest.approx(note.duration_s, abs=0.12)


async def test_two_personas_speak_in_one_batch() -> None:
    house = House(BatchPolicy(max_batch=2, max_wait_s=60.0, deadline_s=60.0))
    await house.speaker.start()

    await asyncio.gather(*(house.speaker.speak("Olá, bom dia", replace(VOICE, id=name)) for name in ("a", "b")))
    await house.speaker.close()

    assert [{utterance.voice.id for utterance in batch} for batch in house.large.batches] == [{"a", "b"}]


async def test_starting_reports_every_engine() -> None:
    house = House()
    seen: list[EngineStatus] = []

    await house.speaker.start(seen.append)
    await house.speaker.close()

    assert {(status.engine, status.state) for status in seen} == {
        ("large", EngineState.LOADED), ("light", EngineState.LOADED),
    }  # fmt: skip


def ignore(_name: str, _suspects: Sequence[Utterance]) -> None:
    return


async def test_an_installations_engines_stand_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_ENGINES", "qwen3,espeak,kokoro")

    speaker = build_speaker(TtsSettings(_env_file=None), on_hung=ignore)

    assert [(status.engine, status.state) for status in speaker.status()] == [
        ("qwen3", EngineState.NOT_CONFIGURED), ("espeak", EngineState.WAITING), ("kokoro", EngineState.WAITING),
    ]  # fmt: skip
    await speaker.close()
