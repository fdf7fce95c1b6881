import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tts.audio.decode import decode
from tts.audio.opus import AudioFormat, OpusChoices
from tts.audio.voice_note import validate_voice_note
from tts.batch_choice import BatchPolicy
from tts.batching import Device
from tts.breaker import BreakerPolicy
from tts.casting import Casting
from tts.checks.signal import SignalCheck
from tts.composition import build_speaker
from tts.contract import Attempt, SourceKind, Utterance, Voice, VoiceSource
from tts.engines.fake import FakeCastingEngine, FakeEngine, tone
from tts.errors import BadText, BadVoice, DeadlineExceeded, EngineFailed, EngineOverloaded, NoVoice
from tts.material import MemoryMaterial
from tts.settings import TtsSettings
from tts.slots import EngineSlot, EngineState, EngineStatus
from tts.speaker import Speaker
from tts.voices.consent import Consent
from tts.voices.samples import StoredSample, encode_sample

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
CONSENT = Consent(speaker="Ana", by="Ana", statement="yes", given_at=LONG_AGO)
LOW = VoiceSource(kind=SourceKind.STYLE, ref="low")
SAMPLE = VoiceSource(kind=SourceKind.SAMPLE, ref="ab" * 32)
VOICE = Voice(id="nina", language="pt-BR", sources=(SAMPLE,), stand_in=(LOW,), version=3)
TEXT = "Olá! Tudo bem com você?"
LONG_TEXT = "O pedido saiu hoje cedo para a entrega, e o motorista já está perto da sua casa. " * 12


async def _no_sleep(_seconds: float) -> None:
    return


AT_ONCE = BatchPolicy(max_batch=16, max_wait_s=0.0, deadline_s=60.0)


def slot(
    engine: FakeEngine, device: Device, batching: BatchPolicy, casting: Casting, clock: Callable[[], float]
) -> EngineSlot:
    return EngineSlot(
        engine.info.name,
        engine,
        device=device,
        batching=batching,
        breaker=BreakerPolicy(),
        gate=SignalCheck(),
        casting=casting,
        takes=1,
        on_lost=lambda _name, _suspects: None,
        on_batch=lambda _stats: None,
        clock=clock,
        sleep=_no_sleep,
    )


class House:
    """A speaker over a large fake engine that clones and a light one that only has styles."""

    def __init__(self, batching: BatchPolicy = AT_ONCE) -> None:
        self.large = FakeCastingEngine()
        self.light = FakeEngine(name="light")
        self.material = MemoryMaterial()
        self.consent(CONSENT)
        self.material.files[SAMPLE.ref] = encode_sample(tone("sample", seconds=4.0))
        casting = Casting(self.material)
        devices = [Device("gpu"), Device("cpu")]
        self.now_s = 0.0
        slots = [
            slot(engine, device, batching, casting, lambda: self.now_s)
            for engine, device in zip((self.large, self.light), devices, strict=True)
        ]
        self.speaker = Speaker(slots, devices=devices, opus=OpusChoices(), casting=casting)

    def consent(self, consent: Consent | None) -> None:
        self.material.samples[SAMPLE.ref] = StoredSample(
            id=SAMPLE.ref,
            kind=SourceKind.SAMPLE,
            language="pt-BR",
            added_at=LONG_AGO,
            transcript="oi",
            consent=consent,
        )


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

    speaker = build_speaker(TtsSettings(_env_file=None), on_lost=ignore)

    assert [(status.engine, status.state) for status in speaker.status()] == [
        ("qwen3", EngineState.NOT_CONFIGURED), ("espeak", EngineState.WAITING), ("kokoro", EngineState.WAITING),
    ]  # fmt: skip
    await speaker.close()


async def test_an_engine_on_trial_is_tried_by_one_of_the_notes_that_come_its_way(house: House) -> None:
    house.large.raises = house.light.raises = EngineFailed("out of order")
    for _ in range(BreakerPolicy().failures):
        with pytest.raises(NoVoice):
            await house.speaker.speak(TEXT, replace(VOICE, sources=(LOW,)))
    house.now_s += BreakerPolicy().recovery_s
    tried_before = len(house.light.batches)

    ends = await asyncio.gather(*(house.speaker.speak("Olá!", VOICE) for _ in range(4)), return_exceptions=True)

    assert len(house.light.batches) == tried_before + 1
    assert [told(end.attempts)[-1] for end in ends if isinstance(end, NoVoice)].count(("light", "skipped")) == 3


WITHDRAWN = replace(CONSENT, withdrawn_at=LONG_AGO)


@pytest.mark.parametrize("consent", [None, WITHDRAWN, replace(CONSENT, expires_at=LONG_AGO)])
async def test_without_consent_the_stand_in_speaks_and_the_reason_is_told(
    house: House, consent: Consent | None
) -> None:
    house.consent(consent)

    note = await house.speaker.speak(TEXT, VOICE)

    assert told(note.attempts) == [("large", "skipped"), ("light", "ok")]
    assert "consent" in note.attempts[0].reason
    assert house.large.batches == house.large.casts == []


async def test_without_consent_and_stand_in_there_is_no_voice(house: House) -> None:
    house.consent(WITHDRAWN)

    with pytest.raises(NoVoice) as caught:
        await house.speaker.speak(TEXT, replace(VOICE, stand_in=(), prompt="a warm voice"))

    assert all("withdrawn" in attempt.reason for attempt in caught.value.attempts)
    assert house.large.batches == house.light.batches == []


async def test_an_engine_that_stands_in_never_learns_of_the_sample(house: House) -> None:
    house.consent(WITHDRAWN)

    await house.speaker.speak(TEXT, VOICE)

    (utterance,) = house.light.batches[0]
    assert utterance.voice.sources == (LOW,)
    assert (utterance.voice.id, utterance.voice.prompt) == ("nina", "")


async def test_a_consent_withdrawn_between_two_notes_is_heeded_by_the_second(house: House) -> None:
    assert (await house.speaker.speak(TEXT, VOICE)).engine == "large"
    house.consent(WITHDRAWN)

    assert (await house.speaker.speak(TEXT, VOICE)).engine == "light"


async def test_a_note_whose_consent_was_withdrawn_while_it_was_spoken_is_heard_by_nobody(house: House) -> None:
    await house.speaker.prepare(VOICE)
    house.large.started.clear()
    house.large.hold = threading.Event()
    speaking = asyncio.create_task(house.speaker.speak(TEXT, VOICE))
    assert await asyncio.to_thread(house.large.started.wait, 10)
    house.consent(WITHDRAWN)
    house.large.hold.set()

    note = await speaking

    assert told(note.attempts) == [("large", "NoConsent"), ("large", "skipped"), ("light", "ok")]
    assert note.making.sources == ("style:low",)


@pytest.mark.parametrize(
    "error", [EngineOverloaded("out of memory", retry_after_s=1), BadVoice("x"), EngineFailed("x")]
)
async def test_what_cannot_be_cast_is_spoken_by_the_next_engine(house: House, error: Exception) -> None:
    house.large.cast_raises = error

    note = await house.speaker.speak(TEXT, VOICE)

    assert told(note.attempts) == [("large", type(error).__name__), ("light", "ok")]


async def test_a_gpu_without_room_for_one_segment_leaves_the_note_to_the_next_engine(house: House) -> None:
    house.large.raises = EngineOverloaded("out of memory", retry_after_s=1)

    note = await house.speaker.speak(LONG_TEXT, VOICE)

    assert told(note.attempts) == [("large", "EngineOverloaded"), ("light", "ok")]
    assert min(len(batch) for batch in house.large.batches) == 1


async def test_a_note_tells_what_it_was_made_of_and_nobodys_words(house: House) -> None:
    voice = replace(VOICE, prompt="a warm voice")

    making = [(await house.speaker.speak(LONG_TEXT, voice)).making for _ in range(2)]

    assert [one.profile for one in making] == ["made", "memory"]
    assert making[0].sample_count == 1
    assert making[0].batch_size > 1
    assert making[0].prompt_mark == hashlib.sha256(b"a warm voice").hexdigest()[:12]


async def test_a_stand_in_is_made_of_no_sample(house: House) -> None:
    house.large.raises = EngineFailed("x")
    house.consent(WITHDRAWN)

    assert (await house.speaker.speak(TEXT, VOICE)).making.sample_count == 0


async def test_a_prepared_voice_is_not_cast_in_its_first_turn(house: House) -> None:
    await house.speaker.prepare(VOICE)

    assert (await house.speaker.speak(TEXT, VOICE)).making.profile == "memory"


async def test_a_voice_that_cannot_be_prepared_breaks_nothing(house: House) -> None:
    house.large.cast_raises = EngineFailed("x")

    await house.speaker.prepare(VOICE)

    assert house.light.batches == []


async def test_a_voice_is_designed_by_the_engine_that_can(house: House) -> None:
    clip = await house.speaker.design("a warm voice", language="en", seed=5)

    assert (clip.engine, clip.model) == ("large", "tone")
    assert house.large.designed == [("a warm voice", "en", 5)]


async def test_a_voice_without_a_prompt_is_designed_from_the_usual_one(house: House) -> None:
    await house.speaker.design("", language="en")

    assert "friendly" in house.large.designed[0][0]


async def test_where_no_engine_designs_each_says_why() -> None:
    house = House()

    with pytest.raises(NoVoice) as caught:
        await house.speaker.design("a warm voice", language="en")

    assert [attempt.engine for attempt in caught.value.attempts] == ["large", "light"]
