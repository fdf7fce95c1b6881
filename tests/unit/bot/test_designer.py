from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from bot.designer import AGAIN_S, Designer
from bot.designs import MOST_LOST, Designs
from bot.persona import Persona, shipped_personas
from bot.persona_store import Personas
from bot.sample_store import Samples
from bot.voice_store import Profiles, Voices
from tts.audio.opus import OpusChoices
from tts.batch_choice import BatchPolicy
from tts.batching import Device
from tts.blobs import MemoryBlobStore
from tts.breaker import BreakerPolicy
from tts.casting import Casting
from tts.checks.signal import SignalCheck
from tts.contract import PcmAudio, SourceKind, VoiceSource
from tts.engines.fake import FakeCastingEngine, FakeEngine, tone
from tts.slots import EngineSlot
from tts.speaker import Speaker
from tts.voices.design import DesignedClip

NINA, THEO = shipped_personas()
PROMPTED = replace(NINA.voice, sources=(), stand_in=(VoiceSource(kind=SourceKind.STYLE, ref="low"),))
SILENCE = PcmAudio(samples=tone("x", seconds=3.0).samples * 0, sample_rate_hz=24_000)
CLIP = DesignedClip(audio=tone("clip", seconds=4.0), transcript="clip", engine="large", model="tone")


class Workshop:
    """A designer over a store, a large fake engine that designs and clones, and a light one with styles."""

    def __init__(self, redis: Redis) -> None:
        self.now_s = 0.0
        self.engine, self.light = FakeCastingEngine(), FakeEngine(name="light")
        self.samples = Samples(redis, MemoryBlobStore(), fresh_s=0)
        self.designs = Designs(redis, self.samples)
        self.personas = Personas(redis, fresh_s=0)
        self.voices = Voices(redis, Profiles(redis), designed=self.designs.applied, fresh_s=0)
        casting = Casting(self.samples)
        self.devices = [Device("gpu"), Device("cpu")]
        slots = [
            EngineSlot(
                engine.info.name,
                engine,
                device=device,
                batching=BatchPolicy(max_batch=4, max_wait_s=0.0, deadline_s=60.0),
                breaker=BreakerPolicy(),
                gate=SignalCheck(),
                casting=casting,
                takes=2,
                on_lost=lambda _name, _suspects: None,
                on_batch=lambda _stats: None,
            )
            for engine, device in zip((self.engine, self.light), self.devices, strict=True)
        ]
        self.speaker = Speaker(slots, devices=self.devices, opus=OpusChoices(), casting=casting)
        self.designer = self.another()

    def another(self) -> Designer:
        return Designer(
            speaker=self.speaker,
            designs=self.designs,
            personas=self.personas,
            voices=self.voices,
            clock=lambda: self.now_s,
        )

    async def spoken_by(self, persona: Persona) -> str:
        voice = await self.voices.resolve(persona)
        return (await self.speaker.speak("Hello there.", voice)).engine


@pytest.fixture
async def workshop(store: Redis) -> AsyncIterator[Workshop]:
    workshop = Workshop(store)
    await workshop.personas.put(replace(NINA, voice=PROMPTED))
    await workshop.speaker.start()
    yield workshop
    await workshop.speaker.close()


async def nina(workshop: Workshop) -> Persona:
    (persona,) = await workshop.personas.list()
    return persona


async def test_until_its_clip_is_there_the_stand_in_speaks_and_then_the_voice_itself(workshop: Workshop) -> None:
    persona = await nina(workshop)
    assert await workshop.spoken_by(persona) == "light"

    await workshop.designer.look()

    assert await workshop.spoken_by(persona) == "large"


async def test_a_voice_is_designed_once_for_all_notes_and_workers(workshop: Workshop) -> None:
    await workshop.designer.look()
    await workshop.designer.look()
    await workshop.another().look()

    assert workshop.engine.designed == [(PROMPTED.prompt, "pt-BR", 0)]
    (sample,) = await workshop.samples.list()
    assert (sample.kind, sample.consent) == (SourceKind.DESIGNED, None)


async def test_the_profile_is_made_before_the_first_turn_asks_for_it(workshop: Workshop) -> None:
    await workshop.designer.look()

    (cast,) = workshop.engine.casts
    assert [source.source.kind for source in cast[1]] == [SourceKind.DESIGNED]


async def test_another_prompt_is_another_voice(workshop: Workshop) -> None:
    await workshop.designer.look()
    await workshop.personas.put(replace(await nina(workshop), voice=replace(PROMPTED, prompt="Uma voz grave.")))

    await workshop.designer.look()

    assert [prompt for prompt, _, _ in workshop.engine.designed] == [PROMPTED.prompt, "Uma voz grave."]


async def test_a_clip_the_gate_refuses_is_not_kept_and_the_voice_rests_for_ten_minutes(workshop: Workshop) -> None:
    workshop.engine.designs_as = [SILENCE, SILENCE]
    await workshop.designer.look()
    assert await workshop.samples.list() == ()
    await workshop.designer.look()
    assert len(workshop.engine.designed) == 2  # the two takes of the first look

    workshop.now_s += AGAIN_S
    await workshop.designer.look()

    assert len(await workshop.samples.list()) == 1


async def test_what_another_worker_is_designing_is_left_to_it(workshop: Workshop) -> None:
    assert await workshop.designs.take(PROMPTED)

    await workshop.designer.look()

    assert workshop.engine.designed == []


@pytest.mark.parametrize(
    "voice",
    [
        replace(PROMPTED, sources=PROMPTED.stand_in),
        replace(PROMPTED, engines=("light",)),
    ],
    ids=["has sources", "wants engines that clone nothing"],
)
async def test_a_voice_that_nobody_would_clone_is_not_designed(workshop: Workshop, voice: object) -> None:
    await workshop.personas.put(replace(NINA, voice=voice))  # type: ignore[arg-type]

    await workshop.designer.look()

    assert workshop.engine.designed == []


async def test_a_clip_whose_recording_was_erased_is_designed_again(workshop: Workshop) -> None:
    await workshop.designer.look()
    (sample,) = await workshop.samples.list()
    await workshop.samples.erase(sample.id)

    await workshop.designer.look()

    assert len(workshop.engine.designed) == 2
    assert await workshop.spoken_by(await nina(workshop)) == "large"


async def test_a_stored_voice_that_is_a_prompt_alone_gets_its_clip_too(workshop: Workshop) -> None:
    await workshop.voices.put(replace(PROMPTED, id="lia", prompt="Uma voz de avó."))
    await workshop.personas.put(replace(NINA, voice_id="lia"))

    await workshop.designer.look()

    assert [prompt for prompt, _, _ in workshop.engine.designed] == ["Uma voz de avó."]


async def test_a_voice_with_sources_keeps_them(workshop: Workshop) -> None:
    await workshop.designs.keep(PROMPTED, CLIP)
    own = replace(PROMPTED, sources=PROMPTED.stand_in)

    assert await workshop.designs.applied(own) == own


async def test_the_first_clip_of_a_prompt_stays(workshop: Workshop) -> None:
    first = await workshop.designs.keep(PROMPTED, CLIP)
    other = replace(CLIP, audio=tone("another", seconds=4.0))

    assert await workshop.designs.keep(PROMPTED, other) == first
    assert await workshop.samples.list() == (first,)


async def test_a_prompt_whose_designing_ends_process_after_process_is_left_alone(
    workshop: Workshop, store: Redis
) -> None:
    for _ in range(MOST_LOST):
        assert await workshop.designs.take(PROMPTED)  # and the process ends, without leaving it
        await store.delete(*[name async for name in store.scan_iter("{recado}:designing:*")])

    assert not await workshop.designs.take(PROMPTED)


async def test_a_voice_that_comes_later_is_cast_before_its_first_turn(workshop: Workshop) -> None:
    await workshop.designer.look()
    sample = await workshop.designs.keep(replace(PROMPTED, prompt="another"), CLIP)
    voice = replace(PROMPTED, id="theo", sources=(VoiceSource(kind=SourceKind.DESIGNED, ref=sample.id),))
    await workshop.personas.put(replace(THEO, voice=voice))

    await workshop.designer.look()
    await workshop.designer.look()

    assert [cast[0].id for cast in workshop.engine.casts] == ["nina", "theo"]
