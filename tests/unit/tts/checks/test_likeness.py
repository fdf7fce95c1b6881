from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tts.checks.likeness import LikenessCheck, OwnLikenessCheck
from tts.checks.words import _wav
from tts.contract import PcmAudio, SourceKind, Take, Utterance, Voice, VoiceProfile, VoiceSource
from tts.engines.fake import tone
from tts.errors import BlobLocked, EngineUnavailable
from tts.gate import Verdict
from tts.material import MemoryMaterial
from tts.voices.consent import Consent
from tts.voices.samples import StoredSample

LOUD, FAINT = tone("a", seconds=3.0), tone("a", seconds=3.0)
FAINT = PcmAudio(samples=FAINT.samples * np.float32(0.1), sample_rate_hz=FAINT.sample_rate_hz)
SAMPLE = VoiceSource(kind=SourceKind.SAMPLE, ref="s1")
STYLE = VoiceSource(kind=SourceKind.STYLE, ref="low")
PROFILE = VoiceProfile(voice_id="v", voice_version=1, engine="fake", model="tone", data=b"")


class ByLoudness:
    """Takes loud and faint for two speakers."""

    def __init__(self) -> None:
        self.asked = 0

    async def embed(self, audio: PcmAudio) -> NDArray[np.float32]:
        self.asked += 1
        return np.array([1, 0] if np.abs(audio.samples).max() > 0.1 else [0, 1], np.float32)


class Missing:
    async def embed(self, _audio: PcmAudio) -> NDArray[np.float32]:
        raise EngineUnavailable("not installed")


NOW = datetime(2026, 3, 1, tzinfo=UTC)
GIVEN = Consent(speaker="Ana", by="Ana", statement="yes", given_at=NOW, expires_at=NOW + timedelta(days=1))


def sample(name: str, consent: Consent | None = GIVEN, kind: SourceKind = SourceKind.SAMPLE) -> StoredSample:
    return StoredSample(id=name, kind=kind, language="en", added_at=NOW, consent=consent)


def material() -> MemoryMaterial:
    kept = MemoryMaterial()
    kept.files = {"s1": _wav(LOUD), "s2": _wav(FAINT)}
    kept.samples = {"s1": sample("s1"), "s2": sample("s2", None, SourceKind.DESIGNED), "gone": sample("gone")}
    return kept


def check(encoder: Any = None, kept: MemoryMaterial | None = None, **choices: Any) -> LikenessCheck:
    return LikenessCheck(kept or material(), encoder=encoder, min_similarity=0.7, **{"now": lambda: NOW} | choices)


def utterance(profile: VoiceProfile | None = None, **voice: Any) -> Utterance:
    spoken_by = Voice(id="v", language="en", **{"sources": (SAMPLE,)} | voice)
    return Utterance(text="hello", language="en", voice=spoken_by, expected_s=3.0, profile=profile)


async def test_a_take_that_sounds_like_the_sample_passes_with_its_score() -> None:
    verdict = await check(ByLoudness()).judge(LOUD, utterance())

    assert verdict.passed
    assert verdict.scores == (("similarity", pytest.approx(1.0)),)


async def test_a_stranger_is_refused_with_the_score() -> None:
    verdict = await check(ByLoudness()).judge(FAINT, utterance())

    assert verdict.reasons == ("likeness: similarity 0.00 to the voice's own recordings",)
    assert verdict.scores == (("similarity", 0.0),)


async def test_the_reference_is_the_weighted_mix_of_the_recordings() -> None:
    loud = VoiceSource(kind=SourceKind.SAMPLE, ref="s1", weight=3.0)
    faint = VoiceSource(kind=SourceKind.DESIGNED, ref="s2")

    verdict = await check(ByLoudness()).judge(LOUD, utterance(sources=(loud, faint)))

    assert dict(verdict.scores)["similarity"] == pytest.approx(3 / np.hypot(3, 1))


async def test_recordings_are_embedded_once_an_hour() -> None:
    encoder, now_s = ByLoudness(), 0.0
    asked = check(encoder, clock=lambda: now_s)

    await asked.judge(LOUD, utterance())
    await asked.judge(LOUD, utterance())
    assert encoder.asked == 3
    now_s = 3601.0
    await asked.judge(LOUD, utterance())
    assert encoder.asked == 5


async def test_a_changed_mix_has_a_reference_of_its_own() -> None:
    asked = check(ByLoudness())
    await asked.judge(LOUD, utterance())

    verdict = await asked.judge(LOUD, utterance(sources=(VoiceSource(kind=SourceKind.SAMPLE, ref="s2"),)))

    assert not verdict.passed


@pytest.mark.parametrize(
    ("take", "voice"),
    [
        (FAINT, {"sources": (STYLE,)}),
        (FAINT, {"sources": (VoiceSource(kind=SourceKind.SAMPLE, ref="gone"),)}),
        (tone("a", seconds=1.0), {}),
    ],
)
async def test_what_cannot_be_compared_is_not_judged(take: PcmAudio, voice: dict[str, Any]) -> None:
    verdict = await check(ByLoudness()).judge(take, utterance(**voice))

    assert verdict.passed
    assert verdict.scores == ()


@pytest.mark.parametrize(
    "record",
    [
        None,
        sample("s1", None),
        sample("s1", replace(GIVEN, withdrawn_at=NOW)),
        sample("s1", replace(GIVEN, expires_at=NOW)),
        sample("s1", replace(GIVEN, given_at=NOW + timedelta(days=1))),
    ],
    ids=["no record", "no consent", "withdrawn", "expired", "not yet"],
)
async def test_a_recording_that_nobody_allows_is_not_listened_to(record: StoredSample | None) -> None:
    kept, encoder = material(), ByLoudness()
    kept.samples = {"s1": record} if record else {}
    asked = check(encoder, kept)

    assert await asked.judge(FAINT, utterance()) == Verdict()
    assert not (await asked.judge(LOUD, utterance(must_resemble=True))).passed
    assert encoder.asked == 0


async def test_what_was_made_of_a_recording_goes_with_the_consent() -> None:
    kept, encoder = material(), ByLoudness()
    asked = check(encoder, kept)
    await asked.judge(LOUD, utterance())

    kept.samples["s1"] = sample("s1", replace(GIVEN, withdrawn_at=NOW))
    assert (await asked.judge(FAINT, utterance())).passed
    kept.samples["s1"] = sample("s1")
    await asked.judge(LOUD, utterance())

    assert encoder.asked == 4  # two takes that were compared, and the recording twice


async def test_a_recording_whose_record_no_key_opens_is_not_listened_to() -> None:
    class Locked(MemoryMaterial):
        async def find(self, sample_id: str) -> StoredSample | None:
            raise BlobLocked(f"{sample_id}: SAMPLES_KEY")

    encoder = ByLoudness()

    assert (await check(encoder, Locked()).judge(FAINT, utterance())).passed
    assert encoder.asked == 0


async def test_switched_off_it_judges_only_voices_that_must_resemble() -> None:
    asked = check(ByLoudness(), always=False)

    assert (await asked.judge(FAINT, utterance())).passed
    assert not (await asked.judge(FAINT, utterance(must_resemble=True))).passed


@pytest.mark.parametrize("encoder", [None, Missing()])
async def test_a_voice_that_must_resemble_is_spoken_by_no_stand_in_that_nobody_can_judge(encoder: Any) -> None:
    asked = check(encoder)

    assert not (await asked.judge(LOUD, utterance(must_resemble=True))).passed
    assert (await asked.judge(LOUD, utterance(must_resemble=True, profile=PROFILE))).passed
    assert (await asked.judge(LOUD, utterance())).passed


async def test_a_voice_made_of_names_is_itself_where_it_is_spoken_by_name() -> None:
    assert (await check().judge(LOUD, utterance(must_resemble=True, sources=(STYLE,)))).passed


def own(similarity: float) -> Take:
    return Take(samples=LOUD.samples, sample_rate_hz=LOUD.sample_rate_hz, own_similarity=similarity)


async def test_what_the_engine_itself_finds_is_kept_and_refuses_nothing_until_a_limit_is_set() -> None:
    verdict = await OwnLikenessCheck(min_similarity=None).judge(own(-0.2), utterance())

    assert (verdict.passed, verdict.scores) == (True, (("own_similarity", -0.2),))


async def test_a_take_the_engine_itself_finds_too_unlike_is_refused() -> None:
    verdict = await OwnLikenessCheck(min_similarity=0.5).judge(own(0.4), utterance())

    assert verdict.reasons == ("likeness: similarity 0.40 to its voice by the engine's own encoder",)


async def test_an_engine_without_an_encoder_is_not_judged_by_it() -> None:
    assert await OwnLikenessCheck(min_similarity=0.5).judge(LOUD, utterance()) == Verdict()
