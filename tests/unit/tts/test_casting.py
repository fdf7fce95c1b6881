import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tts.audio.pcm import join
from tts.casting import PROFILE_KEPT_S, PROFILES_MAX, CacheResult, Casting, Found, Origin, ProfileKey
from tts.contract import EngineInfo, PcmAudio, PreparedSource, SourceKind, Voice, VoiceProfile, VoiceSource
from tts.engines.fake import tone
from tts.errors import BadVoice, EngineFailed, NoConsent
from tts.hearing import FakeTranscriber
from tts.material import MemoryMaterial
from tts.voices.consent import Consent
from tts.voices.samples import StoredSample, encode_sample

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CONSENT = Consent(speaker="Ana", by="Ana", statement="yes", given_at=NOW - DAY)
ANA, BIA, CLIP = "a" * 64, "b" * 64, "c" * 64
INFO = EngineInfo(
    name="large",
    model="m1",
    licence="l",
    languages=frozenset(),
    sample_rate_hz=24_000,
    max_batch=8,
    source_kinds=frozenset({SourceKind.SAMPLE, SourceKind.DESIGNED, SourceKind.TIMBRE}),
    designs=True,
)


def source(ref: str, weight: float = 1.0, kind: SourceKind = SourceKind.SAMPLE) -> VoiceSource:
    return VoiceSource(kind=kind, ref=ref, weight=weight)


VOICE = Voice(id="ana", language="pt-BR", prompt="warm", sources=(source(ANA),))


class Store:
    """A profile store in a dict."""

    def __init__(self) -> None:
        self.kept: dict[ProfileKey, VoiceProfile] = {}

    async def get(self, key: ProfileKey) -> VoiceProfile | None:
        return self.kept.get(key)

    async def put(self, key: ProfileKey, profile: VoiceProfile) -> None:
        self.kept[key] = profile

    async def purge(self, voice_id: str) -> None:
        self.kept = {key: profile for key, profile in self.kept.items() if key.voice_id != voice_id}


class Studio:
    """A casting over a material of two samples and a designed clip, with an engine that counts."""

    def __init__(self, *, store: Store | None = None, transcriber: FakeTranscriber | None = None) -> None:
        self.now, self.clock_s = NOW, 0.0
        self.material = MemoryMaterial()
        self.lookups: Counter[tuple[str, str]] = Counter()
        self.casts: list[Sequence[PreparedSource]] = []
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.began = asyncio.Event()
        self.casting = Casting(
            self.material,
            profiles=store,
            transcriber=transcriber,
            on_lookup=self._count,
            clock=lambda: self.clock_s,
            now=lambda: self.now,
        )
        for ref, words in ((ANA, "oi"), (BIA, "")):
            self.add(ref, words)
        self.add(CLIP, "olá", kind=SourceKind.DESIGNED, consent=None)

    def _count(self, where: str, result: CacheResult) -> None:
        self.lookups[where, result] += 1

    def add(
        self, ref: str, words: str, *, seconds: float = 4.0, kind: SourceKind = SourceKind.SAMPLE,
        consent: Consent | None = CONSENT,
    ) -> None:  # fmt: skip
        self.material.samples[ref] = StoredSample(
            id=ref, kind=kind, language="pt-BR", added_at=NOW, transcript=words, consent=consent
        )
        self.material.files[ref] = encode_sample(tone(ref, seconds=seconds))

    def consent(self, ref: str, consent: Consent | None) -> None:
        self.material.samples[ref] = replace(self.material.samples[ref], consent=consent)

    async def profile(self, voice: Voice = VOICE, info: EngineInfo = INFO) -> Found:
        async def cast(sources: Sequence[PreparedSource]) -> VoiceProfile:
            self.casts.append(sources)
            self.began.set()
            if self.gate is not None:
                await self.gate.wait()
            if self.error is not None:
                raise self.error
            return VoiceProfile(
                voice_id=voice.id, voice_version=voice.version, engine=info.name, model=info.model, data=b"profile"
            )

        return await self.casting.profile(voice, info, cast)


@pytest.fixture
def studio() -> Studio:
    return Studio()


# -- once ---------------------------------------------------------------------------------------------------------


async def test_a_profile_is_made_once_and_found_from_then_on(studio: Studio) -> None:
    assert [(await studio.profile()).origin for _ in range(3)] == [Origin.MADE, Origin.MEMORY, Origin.MEMORY]
    assert len(studio.casts) == 1


async def test_askers_at_the_same_time_wait_for_one_making(studio: Studio) -> None:
    studio.gate = asyncio.Event()
    askers = [asyncio.create_task(studio.profile()) for _ in range(5)]
    await asyncio.sleep(0)
    studio.gate.set()

    assert {found.profile.data for found in await asyncio.gather(*askers)} == {b"profile"}
    assert len(studio.casts) == 1


async def test_an_asker_who_leaves_takes_the_profile_away_from_nobody(studio: Studio) -> None:
    studio.gate = asyncio.Event()
    first, second = (asyncio.create_task(studio.profile()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    studio.gate.set()

    assert (await second).profile.data == b"profile"


async def test_a_failed_making_is_told_to_all_and_tried_again(studio: Studio) -> None:
    studio.error = EngineFailed("x")
    results = await asyncio.gather(*(studio.profile() for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [EngineFailed] * 3
    assert len(studio.casts) == 1

    studio.error = None
    assert (await studio.profile()).origin is Origin.MADE


async def test_after_an_hour_memory_forgets(studio: Studio) -> None:
    await studio.profile()
    studio.clock_s = PROFILE_KEPT_S - 1
    assert (await studio.profile()).origin is Origin.MEMORY
    studio.clock_s = PROFILE_KEPT_S

    assert (await studio.profile()).origin is Origin.MADE


async def test_memory_keeps_the_hundred_profiles_last_asked_for(studio: Studio) -> None:
    voices = [replace(VOICE, id=f"v{index}") for index in range(PROFILES_MAX)]
    for voice in voices:
        await studio.profile(voice)
    await studio.profile(voices[0])
    await studio.profile(replace(VOICE, id="one more"))

    assert (await studio.profile(voices[0])).origin is Origin.MEMORY
    assert (await studio.profile(voices[1])).origin is Origin.MADE


@pytest.mark.parametrize(
    "other",
    [
        replace(VOICE, version=2),
        replace(VOICE, id="bia"),
        replace(VOICE, prompt="cold"),
        replace(VOICE, seed=7),
        replace(VOICE, sources=(source(ANA, 0.5), source(BIA, 0.5))),
    ],
    ids=["version", "id", "prompt", "seed", "mix"],
)
async def test_what_can_be_heard_makes_another_profile(studio: Studio, other: Voice) -> None:
    await studio.profile()

    assert (await studio.profile(other)).origin is Origin.MADE


async def test_another_model_makes_another_profile(studio: Studio) -> None:
    await studio.profile()

    assert (await studio.profile(info=replace(INFO, model="m2"))).origin is Origin.MADE


async def test_what_is_not_in_the_profile_makes_no_other(studio: Studio) -> None:
    await studio.profile()

    assert (await studio.profile(replace(VOICE, speed=1.2, engines=("large",)))).origin is Origin.MEMORY


# -- kept ---------------------------------------------------------------------------------------------------------


async def test_another_process_finds_what_one_has_made() -> None:
    store = Store()
    await Studio(store=store).profile()
    other = Studio(store=store)

    assert [(await other.profile()).origin for _ in range(2)] == [Origin.STORE, Origin.MEMORY]
    assert other.casts == []


async def test_every_lookup_is_told() -> None:
    studio = Studio(store=Store())
    await studio.profile()
    await studio.profile()

    assert studio.lookups == {("memory", "miss"): 1, ("store", "miss"): 1, ("memory", "hit"): 1}


# -- consent ------------------------------------------------------------------------------------------------------

WITHDRAWN = replace(CONSENT, withdrawn_at=NOW)


@pytest.mark.parametrize("consent", [None, WITHDRAWN, replace(CONSENT, expires_at=NOW)])
async def test_nothing_is_cast_without_a_valid_consent(studio: Studio, consent: Consent | None) -> None:
    studio.consent(ANA, consent)

    with pytest.raises(NoConsent, match="consent"):
        await studio.profile()
    assert studio.casts == []


async def test_a_consent_withdrawn_a_moment_ago_is_heeded_by_a_warm_cache(studio: Studio) -> None:
    await studio.profile()
    studio.consent(ANA, WITHDRAWN)

    with pytest.raises(NoConsent):
        await studio.profile()


async def test_a_consent_that_expires_ends_the_voice(studio: Studio) -> None:
    studio.consent(ANA, replace(CONSENT, expires_at=NOW + DAY))
    await studio.profile()
    studio.now = NOW + DAY

    with pytest.raises(NoConsent, match="expired"):
        await studio.profile()


async def test_a_consent_withdrawn_while_the_profile_is_made_leaves_none_behind() -> None:
    store = Store()
    studio = Studio(store=store)
    studio.gate = asyncio.Event()
    asker = asyncio.create_task(studio.profile())
    await studio.began.wait()
    studio.consent(ANA, WITHDRAWN)
    studio.gate.set()

    with pytest.raises(NoConsent):
        await asker
    assert store.kept == {}


async def test_a_withdrawn_consent_purges_memory_and_store() -> None:
    store = Store()
    studio = Studio(store=store)
    await studio.profile()
    studio.consent(ANA, WITHDRAWN)

    assert "withdrawn" in await studio.casting.refusal(VOICE)

    assert store.kept == {}
    studio.consent(ANA, CONSENT)
    assert (await studio.profile()).origin is Origin.MADE


async def test_one_of_two_samples_without_consent_is_enough_to_be_silent(studio: Studio) -> None:
    studio.consent(BIA, WITHDRAWN)

    assert BIA[:12] in await studio.casting.refusal(replace(VOICE, sources=(source(ANA), source(BIA))))


async def test_a_sample_without_weight_needs_no_consent(studio: Studio) -> None:
    studio.consent(BIA, WITHDRAWN)

    assert await studio.casting.refusal(replace(VOICE, sources=(source(ANA), source(BIA, 0.0)))) == ""


async def test_a_designed_clip_is_nobodys_and_needs_no_consent(studio: Studio) -> None:
    voice = replace(VOICE, sources=(source(CLIP, kind=SourceKind.DESIGNED),))

    assert (await studio.profile(voice)).origin is Origin.MADE


async def test_calling_a_persons_sample_designed_frees_nobody_from_asking(studio: Studio) -> None:
    studio.consent(ANA, None)
    voice = replace(VOICE, sources=(source(ANA, kind=SourceKind.DESIGNED),))

    with pytest.raises(NoConsent):
        await studio.profile(voice)


async def test_a_recording_nobody_knows_has_no_consent(studio: Studio) -> None:
    with pytest.raises(NoConsent, match="not here"):
        await studio.profile(replace(VOICE, sources=(source("d" * 64),)))


# -- preparing ----------------------------------------------------------------------------------------------------


async def prepared(studio: Studio, *sources: VoiceSource) -> list[PreparedSource]:
    await studio.profile(replace(VOICE, sources=sources))
    return list(studio.casts[-1])


async def test_a_sample_comes_with_its_audio_and_its_words(studio: Studio) -> None:
    (one,) = await prepared(studio, source(ANA))

    assert one.audio is not None
    assert one.audio.duration_s == pytest.approx(4.0)
    assert one.transcript == "oi"


async def test_a_name_comes_as_it_is(studio: Studio) -> None:
    (one,) = await prepared(studio, source("serena", kind=SourceKind.TIMBRE))

    assert (one.audio, one.transcript) == (None, None)


async def test_a_recording_that_cannot_be_read_is_the_voices_trouble_and_not_the_engines(studio: Studio) -> None:
    class Locked(dict[str, bytes]):
        def __getitem__(self, _sample_id: str) -> bytes:
            raise PermissionError

    studio.material.files = Locked()

    with pytest.raises(BadVoice, match="cannot be read"):
        await prepared(studio, source(CLIP))


async def test_sources_without_weight_stay_at_home(studio: Studio) -> None:
    assert [one.source.ref for one in await prepared(studio, source(ANA, 0.0), source(CLIP, 2.0))] == [CLIP]


async def test_missing_words_are_written_down() -> None:
    (one,) = await prepared(Studio(transcriber=FakeTranscriber("bom dia")), source(BIA))

    assert one.transcript == "bom dia"


async def test_without_ears_a_sample_without_words_has_none(studio: Studio) -> None:
    (one,) = await prepared(studio, source(BIA))

    assert one.transcript is None


async def test_ears_that_fail_cost_the_words_and_not_the_voice() -> None:
    ears = FakeTranscriber()
    ears.failures = [EngineFailed("x")]
    (one,) = await prepared(Studio(transcriber=ears), source(BIA))

    assert one.transcript is None


async def test_a_long_sample_is_cut_and_its_words_written_down_again() -> None:
    studio = Studio(transcriber=FakeTranscriber("the words that are left"))
    loud, quiet = tone("x", seconds=18.0), PcmAudio(samples=np.zeros(12_000, np.float32), sample_rate_hz=24_000)
    studio.material.files[ANA] = encode_sample(join([loud, quiet, loud], [0, 0, 0]))

    (one,) = await prepared(studio, source(ANA))

    assert one.audio is not None
    assert one.audio.duration_s <= 19.5
    assert one.transcript == "the words that are left"


async def test_shares_of_the_reference_follow_the_weights(studio: Studio) -> None:
    for ref in (ANA, BIA):
        studio.add(ref, "oi", seconds=30.0)

    heavy, light = await prepared(studio, source(ANA, 3.0), source(BIA, 1.0))

    assert heavy.audio is not None
    assert light.audio is not None
    assert 12.0 < heavy.audio.duration_s < 14.5
    assert 2.5 < light.audio.duration_s < 4.9


async def test_a_recording_whose_audio_is_gone_is_told(studio: Studio) -> None:
    del studio.material.files[ANA]

    with pytest.raises(BadVoice, match="gone"):
        await studio.profile()


async def test_a_voice_the_engine_cannot_speak_is_not_cast(studio: Studio) -> None:
    with pytest.raises(BadVoice, match="large cannot speak"):
        await studio.profile(replace(VOICE, sources=(source("jm_kumo", kind=SourceKind.STYLE),)))
