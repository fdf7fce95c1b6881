"""The real models on tiny random checkpoints: they speak noise, as long as their text is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from tests.arithmetic import SOUND_TOLERANCE, assert_same_sound, codes_heard
from tests.tiny import qwen3 as tiny
from tts.contract import (
    CastingEngine,
    DesigningEngine,
    PcmAudio,
    PreparedSource,
    SourceKind,
    Take,
    Utterance,
    Voice,
    VoiceProfile,
    VoiceSource,
)
from tts.engines import ENGINES
from tts.engines.fake import tone
from tts.engines.qwen3 import Checkpoints, Placement, Qwen3Choices, Qwen3Engine, Size
from tts.engines.qwen3.models import Kind
from tts.engines.qwen3.profile import Clone, Timbre, pack, unpack
from tts.errors import (
    BadAudio,
    BadText,
    BadVoice,
    DeviceLost,
    EngineFailed,
    EngineOverloaded,
    EngineUnavailable,
    TakeRejected,
    TtsError,
)
from tts.settings import EngineName, TtsSettings
from tts.text import expected_duration_s

torch = pytest.importorskip("torch", reason="needs the extra gpu")

RATE_HZ = 24_000
CPU = Placement(device="cpu")


class Clock:
    """Seconds that pass when told."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def choices(folder: Path, *kinds: str, **changes: Any) -> Qwen3Choices:
    """Tiny checkpoints of these kinds."""
    names = {"base": "base", "custom": "custom_voice", "design": "voice_design"}
    checkpoints = Checkpoints(**{kind: str(folder / names[kind]) for kind in kinds})
    return replace(Qwen3Choices(checkpoints=checkpoints, placement=CPU), **changes)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def engine(tiny_qwen3: Path, clock: Clock) -> Iterator[Qwen3Engine]:
    engine = Qwen3Engine(choices(tiny_qwen3, "base", "custom", "design"), clock=clock)
    engine.load()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def greedy(tiny_qwen3: Path) -> Iterator[Qwen3Engine]:
    """Takes the likeliest code always, and continues references whatever their speakers."""
    engine = Qwen3Engine(choices(tiny_qwen3, "base", greedy=True, same_speaker=-1.0))
    engine.load()
    yield engine
    engine.close()


def clip(name: str, *, weight: float = 1.0, words: str | None = None, seconds: float = 1.0) -> PreparedSource:
    source = VoiceSource(kind=SourceKind.SAMPLE, ref=name, weight=weight)
    return PreparedSource(source=source, audio=tone(name, seconds=seconds), transcript=words)


def named(kind: SourceKind, name: str, weight: float = 1.0) -> PreparedSource:
    return PreparedSource(source=VoiceSource(kind=kind, ref=name, weight=weight))


def cast(engine: Qwen3Engine, *sources: PreparedSource, prompt: str = "", voice_id: str = "lia") -> VoiceProfile:
    return engine.cast(Voice(id=voice_id, language="en", prompt=prompt), sources)


def cast_clone(engine: Qwen3Engine, *sources: PreparedSource) -> Clone:
    made = unpack(cast(engine, *sources).data)
    assert isinstance(made, Clone)
    return made


def say(profile: VoiceProfile | None, text: str, language: str = "en", **changes: Any) -> Utterance:
    """`expected_s` is generous, unless told otherwise: a tiny timbre ends when it likes."""
    fields: dict[str, Any] = {
        "voice": Voice(id="lia", language="en"),
        "expected_s": 3 * expected_duration_s(text, language) + 2.0,
        "profile": profile,
    }
    return Utterance(text=text, language=language, **fields | changes)


def audio(result: PcmAudio | TtsError) -> PcmAudio:
    assert isinstance(result, PcmAudio), result
    return result


def error(results: Sequence[PcmAudio | TtsError]) -> TtsError:
    (result,) = results
    assert isinstance(result, TtsError)
    return result


# -- from prompt to speech ---------------------------------------------------------------------------------------


def test_it_is_an_engine_that_casts_and_designs(engine: Qwen3Engine) -> None:
    assert isinstance(engine, CastingEngine)
    assert isinstance(engine, DesigningEngine)


def test_a_designed_clip_becomes_a_reference_a_profile_and_speech(engine: Qwen3Engine) -> None:
    designed = engine.design("A warm, husky alto.", text="Hello there, my friend.", language="en", seed=1)
    source = PreparedSource(
        source=VoiceSource(kind=SourceKind.DESIGNED, ref="d"), audio=designed, transcript="Hello there, my friend."
    )
    profile = cast(engine, source)

    take = audio(*engine.synthesize([say(profile, "See you soon!")]))

    assert designed.sample_rate_hz == take.sample_rate_hz == RATE_HZ
    assert 0.01 < np.abs(take.samples).max() <= 1.0


def test_a_design_is_told_by_its_prompt_and_its_seed(engine: Qwen3Engine) -> None:
    def designed(prompt: str, seed: int) -> bytes:
        return engine.design(prompt, text="Hi.", language="en", seed=seed).samples.tobytes()

    assert designed("Deep.", 3) == designed("Deep.", 3)
    assert designed("Deep.", 3) != designed("Bright.", 3)
    assert designed("Deep.", 3) != designed("Deep.", 4)


def test_a_prompt_alone_is_not_cast_before_it_was_designed(engine: Qwen3Engine) -> None:
    with pytest.raises(BadVoice):
        cast(engine, prompt="A warm, husky alto.")


def test_the_design_model_is_fetched_without_being_loaded(tiny_qwen3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    def snapshot_download(name: str, **_options: Any) -> str:
        fetched.append(name)
        return str(tiny_qwen3 / "voice_design")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    engine = Qwen3Engine(choices(tiny_qwen3, "base", checkpoints=Checkpoints(design="Org/Design")))

    engine.fetch(designing=True)

    assert (fetched, engine._models) == (["Org/Design"], {})


def test_a_blend_is_the_weighted_sum_at_the_weighted_mean_norm(engine: Qwen3Engine) -> None:
    one, two = (cast_clone(engine, clip(name)).embedding.astype(np.float64) for name in ("ana", "rui"))
    summed = 0.7 * one + 0.3 * two
    by_hand = summed / np.linalg.norm(summed) * (0.7 * np.linalg.norm(one) + 0.3 * np.linalg.norm(two))

    blended = cast_clone(engine, clip("ana", weight=7), clip("rui", weight=3)).embedding

    np.testing.assert_allclose(blended, by_hand, rtol=1e-5)
    assert not np.allclose(one, two, rtol=1e-2)


def test_all_the_weight_on_one_source_is_that_source(engine: Qwen3Engine) -> None:
    alone = cast_clone(engine, clip("ana"))

    mixed = cast_clone(engine, clip("ana", weight=1.0), clip("rui", weight=0.0))

    assert mixed.embedding.tobytes() == alone.embedding.tobytes()


def test_the_facts_tell_how_like_its_sources_a_blend_is(engine: Qwen3Engine) -> None:
    facts = dict(cast(engine, clip("ana", weight=9), clip("rui", weight=1)).facts)

    assert facts["similarity:ana"] > facts["similarity:rui"]
    assert facts["alike"] < facts["similarity:ana"] <= 1.0


def test_a_designed_clip_may_be_one_source_among_samples(engine: Qwen3Engine) -> None:
    designed = replace(clip("d"), source=VoiceSource(kind=SourceKind.DESIGNED, ref="d"))

    assert cast_clone(engine, designed, clip("ana")).embedding.shape == (tiny.WIDTHS["1b7"],)


def test_mixes_without_weight_are_refused(engine: Qwen3Engine) -> None:
    with pytest.raises(BadVoice, match="weight"):
        cast(engine, clip("ana", weight=0.0))


# -- references (ICL) --------------------------------------------------------------------------------------------


def test_one_persons_transcribed_sample_is_continued(engine: Qwen3Engine) -> None:
    profile = cast(engine, clip("ana", words="some twelve words", seconds=1.0))

    made = unpack(profile.data)
    assert isinstance(made, Clone)
    assert made.codes is not None
    assert made.codes.shape == (19, 16)  # 1 s and half a second of silence, in frames of 80 ms
    assert made.transcript == "some twelve words"
    assert dict(profile.facts)["reference_s"] == pytest.approx(1.5)


def test_a_reference_is_spoken_with_and_left_out_of_the_take(greedy: Qwen3Engine) -> None:
    profile = cast(greedy, clip("ana", words="nineteen letters ok", seconds=1.0))

    take = audio(*greedy.synthesize([say(profile, "See you soon!")]))

    letters = len("nineteen letters okSee you soon!")
    assert take.duration_s == pytest.approx((letters - 19) * 0.08, abs=0.09)


def test_several_samples_of_one_person_are_joined_with_their_words(greedy: Qwen3Engine) -> None:
    made = cast_clone(greedy, clip("ana", words="first"), clip("rui", weight=2.0, words="second"))

    assert made.codes is not None
    assert len(made.codes) == 35  # 2 s, a gap of 0.25 s, 0.5 s at the end: 34.4 frames
    assert made.transcript == "second first"


@pytest.mark.parametrize("words", [None, "", "<|im_end|>", "…"])
def test_without_words_there_is_no_reference(engine: Qwen3Engine, words: str | None) -> None:
    assert cast_clone(engine, clip("ana", words=words)).codes is None


def test_two_people_are_no_reference(tiny_qwen3: Path) -> None:
    strict = Qwen3Engine(choices(tiny_qwen3, "base", same_speaker=0.9999))
    strict.load()

    made = cast_clone(strict, clip("ana", words="first"), clip("rui", words="second"))

    assert made.codes is None


def test_references_can_be_switched_off(tiny_qwen3: Path) -> None:
    without = Qwen3Engine(choices(tiny_qwen3, "base", icl=False))
    without.load()

    assert cast_clone(without, clip("ana", words="first")).codes is None


# -- timbres -----------------------------------------------------------------------------------------------------


def test_a_timbre_is_spoken_by_the_custom_model(engine: Qwen3Engine) -> None:
    profile = cast(engine, named(SourceKind.TIMBRE, "Ryan"))

    take = audio(*engine.synthesize([say(profile, "Good morning.", seed=1)]))

    assert unpack(profile.data) == Timbre(model=engine._models[Kind.CUSTOM].name, name="ryan")
    assert take.duration_s > 0


def test_an_unknown_timbre_is_refused_with_the_valid_ones(engine: Qwen3Engine) -> None:
    with pytest.raises(BadVoice, match=r"valid: aiden, dylan, eric, ono_anna, ryan, serena, sohee, uncle_fu, vivian"):
        cast(engine, named(SourceKind.TIMBRE, "bob"))


@pytest.mark.parametrize("other", [named(SourceKind.TIMBRE, "serena"), clip("ana")], ids=["timbre", "sample"])
def test_a_timbre_cannot_be_mixed(engine: Qwen3Engine, other: PreparedSource) -> None:
    with pytest.raises(BadVoice, match="cannot be mixed"):
        cast(engine, named(SourceKind.TIMBRE, "ryan"), other)


def test_a_style_is_refused(engine: Qwen3Engine) -> None:
    with pytest.raises(BadVoice, match="style"):
        cast(engine, named(SourceKind.STYLE, "jm_kumo"))


@pytest.mark.parametrize(("size", "takes"), [("1b7", True), ("0b6", False)])
def test_an_instruction_is_heard_where_the_model_takes_one(tmp_path: Path, size: str, *, takes: bool) -> None:
    custom = tiny.build(tmp_path / "custom", "custom_voice", size=size)
    engine = Qwen3Engine(Qwen3Choices(checkpoints=Checkpoints(custom=str(custom)), placement=CPU, greedy=True))
    engine.load()
    profile = cast(engine, named(SourceKind.TIMBRE, "ryan"))

    def made(prompt: str) -> bytes:
        voice = Voice(id="v", language="en", prompt=prompt)
        (take,) = engine._models[Kind.CUSTOM].speak([engine._order(say(profile, "Hi.", voice=voice))[1].line], frames=8)
        return take.tobytes()

    assert (made("Whisper it.") != made("")) is takes


# -- batches -----------------------------------------------------------------------------------------------------


@pytest.mark.arithmetic
def test_a_batch_of_mixed_prompts_and_languages_is_its_singles(
    greedy: Qwen3Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, rui = cast(greedy, clip("ana")), cast(greedy, clip("rui", weight=2.0), clip("ana"))
    continued = cast(greedy, clip("eva", words="nineteen letters ok"))
    batch = [
        say(ana, "Good morning."),
        say(continued, "Até logo!", "pt-BR"),
        say(rui, "Yes."),
        say(continued, "See you soon."),
        say(ana, "你好", "zh"),
    ]

    with codes_heard(greedy._models[Kind.BASE], monkeypatch) as codes:
        together = [audio(result) for result in greedy.synthesize(batch)]
        singles = [audio(*greedy.synthesize([item])) for item in batch]

    assert codes[: len(batch)] == codes[len(batch) :]
    for take, alone in zip(together, singles, strict=True):
        assert_same_sound(take, alone)


def test_a_wrong_code_is_heard_beyond_the_tolerance(greedy: Qwen3Engine) -> None:
    codec = greedy._models[Kind.BASE]._raw.model.speech_tokenizer
    codes = torch.arange(20 * 16).reshape(20, 16) % 64
    wrong = codes.clone()
    wrong[10, 15] += 1

    (right,), _ = codec.decode([{"audio_codes": codes}])
    (other,), _ = codec.decode([{"audio_codes": wrong}])

    assert np.abs(right - other).max() > 10 * SOUND_TOLERANCE


@pytest.mark.skipif("ATEN_CPU_CAPABILITY" in os.environ, reason="is such a run itself")
@pytest.mark.parametrize("capability", ["default", "avx2", "avx512"])
def test_batches_are_their_singles_on_every_processor(capability: str) -> None:
    needed = {"avx2": "avx2", "avx512": "avx512vl"}.get(capability)
    if needed is not None and needed not in processor_flags():
        pytest.skip(f"this processor has no {capability}")
    if capability == torch.backends.cpu.get_cpu_capability().lower():
        pytest.skip("this run has just that")
    tests = [
        "-m",
        "arithmetic",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "--no-header",
        "tests/unit/tts/engines",
    ]

    run = subprocess.run(
        [sys.executable, "-m", "pytest", *tests],
        env=os.environ | {"ATEN_CPU_CAPABILITY": capability},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    assert run.returncode == 0, run.stdout[-4000:]


def processor_flags() -> set[str]:
    """What the processor can do, by the kernel's names; empty where the kernel does not say."""
    try:
        return set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return set()


@pytest.mark.arithmetic
def test_a_batch_of_timbres_with_and_without_instructions_is_its_singles(
    tiny_qwen3: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Qwen3Engine(choices(tiny_qwen3, "custom", greedy=True))
    engine.load()
    ryan, serena = (cast(engine, named(SourceKind.TIMBRE, name)) for name in ("ryan", "serena"))
    whispers = Voice(id="w", language="en", prompt="Whisper it.")
    batch = [say(ryan, "Good morning."), say(serena, "Até logo!", "pt-BR"), say(ryan, "Yes.", voice=whispers)]
    lines = [engine._order(item)[1].line for item in batch]
    model = engine._models[Kind.CUSTOM]

    with codes_heard(model, monkeypatch) as codes:
        together = model.speak(lines, frames=40)
        singles = [model.speak([line], frames=40)[0] for line in lines]

    assert codes[: len(lines)] == codes[len(lines) :]
    for take, alone in zip(together, singles, strict=True):
        assert_same_sound(take, alone)


def spoilt(profile: VoiceProfile, **changes: Any) -> VoiceProfile:
    """The profile of a clone with a reference, with something in it changed."""
    made = unpack(profile.data)
    assert isinstance(made, Clone)
    assert made.codes is not None
    return replace(profile, data=pack(replace(made, **changes)))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"codes": np.ones((19, 8), np.int16)}, "codes are 8 a frame"),
        ({"codes": np.full((19, 16), 64, np.int16)}, "64 to 64"),
        ({"codes": np.full((19, 16), -1, np.int16)}, "-1 to -1"),
        ({"transcript": ""}, "damaged"),
        ({"embedding": np.ones(24, np.float32)}, r"has \(24,\)"),
        ({"embedding": np.full(32, np.inf, np.float32)}, "damaged"),
    ],
    ids=["narrow", "high", "negative", "mute", "short", "infinite"],
)
def test_a_profile_that_would_fail_in_the_model_is_refused_and_costs_its_neighbours_nothing(
    greedy: Qwen3Engine, changes: dict[str, Any], says: str
) -> None:
    good = cast(greedy, clip("eva", words="nineteen letters ok"))

    first, refused, third = greedy.synthesize(
        [say(good, "Yes."), say(spoilt(good, **changes), "Yes."), say(good, "Yes.")]
    )

    assert isinstance(refused, BadVoice)
    assert re.search(says, str(refused))
    assert audio(first).duration_s == audio(third).duration_s


def test_a_timbre_that_the_model_lacks_costs_its_neighbours_nothing(engine: Qwen3Engine) -> None:
    ryan = cast(engine, named(SourceKind.TIMBRE, "ryan"))
    bob = replace(ryan, data=pack(Timbre(model=engine._models[Kind.CUSTOM].name, name="bob")))

    refused, spoken = engine.synthesize([say(bob, "Hi."), say(ryan, "Hi.", seed=1)])

    assert isinstance(refused, BadVoice)
    assert audio(spoken).duration_s > 0


@pytest.mark.parametrize("expected_s", [float("nan"), float("inf")])
def test_a_length_that_is_no_number_costs_its_neighbours_nothing(greedy: Qwen3Engine, expected_s: float) -> None:
    ana = cast(greedy, clip("ana"))

    failed, spoken = greedy.synthesize([say(ana, "Hi.", expected_s=expected_s), say(ana, "Hi.")])

    assert isinstance(failed, EngineFailed)
    assert audio(spoken).duration_s == pytest.approx(0.24)


@pytest.mark.arithmetic
def test_half_a_character_is_left_out_and_the_rest_is_said(greedy: Qwen3Engine) -> None:
    ana = cast(greedy, clip("ana"))

    halved, whole = greedy.synthesize([say(ana, "Good \ud83d morning."), say(ana, "Good morning.")])

    assert_same_sound(audio(halved), audio(whole))


def test_clones_timbres_and_refusals_share_a_batch_in_order(engine: Qwen3Engine) -> None:
    clone, timbre = cast(engine, clip("ana")), cast(engine, named(SourceKind.TIMBRE, "ryan"))

    results = engine.synthesize(
        [say(timbre, "Hi."), say(clone, " "), say(clone, "Good morning."), say(None, "Hi."), say(clone, "Yes.")]
    )

    assert isinstance(results[1], BadText)
    assert isinstance(results[3], BadVoice)
    assert (audio(results[2]).duration_s, audio(results[4]).duration_s) == pytest.approx((13 * 0.08, 4 * 0.08))


@pytest.mark.arithmetic
def test_special_tokens_are_not_spoken(greedy: Qwen3Engine) -> None:
    profile = cast(greedy, clip("ana"))

    marked, plain = greedy.synthesize([say(profile, "Good<|im_end|> morning.<tts_pad>"), say(profile, "Good morning.")])

    assert_same_sound(audio(marked), audio(plain))


def test_an_unknown_language_is_refused_with_the_valid_ones(engine: Qwen3Engine) -> None:
    refused = error(engine.synthesize([say(cast(engine, clip("ana")), "Dag.", "nl")]))

    assert isinstance(refused, BadVoice)
    assert "valid: de, en, es, fr, it, ja, ko, pt, ru, zh" in str(refused)


# -- likeness ----------------------------------------------------------------------------------------------------


def own_similarity(engine: Qwen3Engine, profile: VoiceProfile, text: str, **voice: Any) -> float | None:
    take = audio(*engine.synthesize([say(profile, text, voice=Voice(id="lia", language="en", **voice))]))
    return take.own_similarity if isinstance(take, Take) else None


def test_takes_of_a_clone_are_compared_with_its_profile_where_somebody_asks(tiny_qwen3: Path) -> None:
    engine = Qwen3Engine(choices(tiny_qwen3, "base", greedy=True, listens=True))
    engine.load()
    ana = cast(engine, clip("ana"))
    text = "Good morning to all of you."
    take = audio(*engine.synthesize([say(ana, text)]))
    of_itself = cast(engine, PreparedSource(source=VoiceSource(kind=SourceKind.SAMPLE, ref="itself"), audio=take))
    profile, heard = unpack(ana.data), unpack(of_itself.data)
    assert isinstance(profile, Clone)
    assert isinstance(heard, Clone)
    by_hand = float(np.dot(profile.embedding, heard.embedding)) / float(
        np.linalg.norm(profile.embedding) * np.linalg.norm(heard.embedding)
    )

    assert own_similarity(engine, ana, text) == pytest.approx(by_hand, abs=1e-4)


def test_nobody_pays_for_a_comparison_that_nobody_asked_for(greedy: Qwen3Engine) -> None:
    ana, long = cast(greedy, clip("ana")), "Good morning to all of you."

    assert own_similarity(greedy, ana, long) is None
    assert own_similarity(greedy, ana, long, must_resemble=True) is not None
    assert own_similarity(greedy, ana, "Hi.", must_resemble=True) is None  # too short to tell


def test_a_comparison_that_fails_costs_nobody_a_take(greedy: Qwen3Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    ana, long = cast(greedy, clip("ana")), "Good morning to all of you."

    def broken(_audio: PcmAudio) -> Any:
        raise ValueError("no window")

    monkeypatch.setattr(greedy._models[Kind.BASE], "embedding", broken)

    assert own_similarity(greedy, ana, long, must_resemble=True) is None


# -- caps --------------------------------------------------------------------------------------------------------


def test_a_take_that_does_not_stop_is_rejected_and_not_cut(engine: Qwen3Engine) -> None:
    endless = say(cast(engine, clip("ana")), "a" * 60, expected_s=0.4)

    rejected = error(engine.synthesize([endless]))

    assert isinstance(rejected, TakeRejected)
    assert "did not stop: 2.0 s where 0.4 s was expected" in str(rejected)  # 2.5 times 0.4 s, and a second


def test_no_more_than_the_cap_is_made(engine: Qwen3Engine) -> None:
    endless = say(cast(engine, clip("ana")), "a" * 60, expected_s=0.4)

    with capture_logs() as logs:
        engine.synthesize([endless])

    (batch,) = [entry for entry in logs if entry["event"] == "qwen3.batch"]
    assert batch["audio_s"] == 2.0


def test_a_neighbours_longer_cap_saves_no_runaway(engine: Qwen3Engine) -> None:
    profile = cast(engine, clip("ana"))

    runaway, long = engine.synthesize([say(profile, "a" * 40, expected_s=0.4), say(profile, "a" * 50, expected_s=4.0)])

    assert isinstance(runaway, TakeRejected)
    assert audio(long).duration_s == pytest.approx(4.0)


def test_a_design_that_does_not_stop_is_rejected(engine: Qwen3Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.design("Deep.", text="Hi.", language="en", seed=3)

    def endless(lines: Sequence[Any], *, frames: int) -> Any:
        return [np.zeros(frames * 1920, np.float32) for _ in lines]

    monkeypatch.setattr(engine._models[Kind.DESIGN], "speak", endless)

    with pytest.raises(TakeRejected, match="did not stop"):
        engine.design("Deep.", text="Hi.", language="en", seed=2)


# -- references that cannot be used --------------------------------------------------------------------------------


def with_samples(samples: np.ndarray, rate_hz: int = RATE_HZ) -> PreparedSource:
    return replace(clip("ana"), audio=PcmAudio(samples=samples, sample_rate_hz=rate_hz))


def test_a_stereo_reference_is_mixed_down(engine: Qwen3Engine) -> None:
    mono = tone("ana", seconds=1.0).samples

    for stereo in (np.stack([mono, mono], axis=1), np.stack([mono, mono])):
        made = cast_clone(engine, with_samples(stereo))
        np.testing.assert_allclose(made.embedding, cast_clone(engine, clip("ana")).embedding, rtol=1e-5)


def test_a_reference_at_another_rate_is_the_same_voice(engine: Qwen3Engine) -> None:
    made = dict(cast(engine, with_samples(np.repeat(tone("ana", seconds=1.0).samples, 2), 48_000)).facts)

    assert made["similarity:ana"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (np.zeros(2_000, np.float32), r"0\.08 s long"),
        (np.zeros(0, np.float32), r"0\.00 s long"),
        (np.full(RATE_HZ, np.nan, np.float32), "no numbers"),
    ],
    ids=["short", "empty", "nan"],
)
def test_unusable_audio_is_refused_with_the_reason(engine: Qwen3Engine, samples: np.ndarray, says: str) -> None:
    with pytest.raises(BadAudio, match=says):
        cast(engine, with_samples(samples))


def test_a_sample_without_audio_is_refused(engine: Qwen3Engine) -> None:
    with pytest.raises(BadVoice, match="audio of 'ana' is missing"):
        cast(engine, named(SourceKind.SAMPLE, "ana"))


# -- profiles that do not fit --------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"seed": 1}, {"size": "0b6"}], ids=["same shape", "other size"])
def test_another_checkpoint_in_a_folder_of_the_same_name_is_another_model(
    tmp_path: Path, engine: Qwen3Engine, changes: dict[str, Any]
) -> None:
    elsewhere = tiny.build(tmp_path / "base", "base", **changes)
    other = Qwen3Engine(Qwen3Choices(checkpoints=Checkpoints(base=str(elsewhere)), placement=CPU))
    other.load()

    refused = error(engine.synthesize([say(cast(other, clip("ana")), "Hi.")]))

    assert isinstance(refused, BadVoice)
    assert "cast the voice again" in str(refused)
    assert other.info.model.startswith("base@")
    assert other.info.model not in engine.info.model


def test_a_profile_of_another_model_asks_for_a_new_casting(tiny_qwen3: Path, tmp_path: Path) -> None:
    (tmp_path / "fine-tuned").symlink_to(tiny_qwen3 / "base")
    other = Qwen3Engine(Qwen3Choices(checkpoints=Checkpoints(base=str(tmp_path / "fine-tuned")), placement=CPU))
    other.load()
    engine = Qwen3Engine(choices(tiny_qwen3, "base"))
    engine.load()

    refused = error(engine.synthesize([say(cast(other, clip("ana")), "Hi.")]))

    assert isinstance(refused, BadVoice)
    assert re.search(r"made with fine-tuned@\w{8}, this is base@\w{8}: cast the voice again", str(refused))


def test_a_profile_of_another_engine_is_refused(engine: Qwen3Engine) -> None:
    strange = replace(cast(engine, clip("ana")), engine="xtts")

    assert isinstance(error(engine.synthesize([say(strange, "Hi.")])), BadVoice)


# -- seeds ---------------------------------------------------------------------------------------------------------


def test_a_take_alone_follows_its_seed(engine: Qwen3Engine) -> None:
    profile = cast(engine, clip("ana"))

    takes = [audio(*engine.synthesize([say(profile, "Yes.", seed=seed)])).samples for seed in (5, 5, 6)]

    assert np.array_equal(takes[0], takes[1])
    assert not np.array_equal(takes[0], takes[2])


def test_a_batch_has_one_seed_and_it_is_recorded(engine: Qwen3Engine) -> None:
    profile = cast(engine, clip("ana"))

    with capture_logs() as logs:
        engine.synthesize([say(profile, "Yes.", seed=5), say(profile, "No.", seed=6)])

    (batch,) = [entry for entry in logs if entry["event"] == "qwen3.batch"]
    assert (batch["batch"], batch["model"]) == (2, engine._models[Kind.BASE].name)
    assert batch["seed"] not in (5, 6)


def test_a_seed_is_nobody_elses(engine: Qwen3Engine) -> None:
    profile = cast(engine, clip("ana"))
    torch.manual_seed(0)
    untouched = torch.rand(3)
    torch.manual_seed(0)

    engine.synthesize([say(profile, "Yes.", seed=5)])

    assert torch.equal(torch.rand(3), untouched)


# -- when things go wrong --------------------------------------------------------------------------------------------


def fits(engine: Qwen3Engine, monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """Let the Base model run out of memory above `most` lines; the list fills with the sizes it was asked for."""
    model, sizes = engine._models[Kind.BASE], []
    speak = model.speak

    def limited(lines: Sequence[Any], *, frames: int) -> Any:
        sizes.append(len(lines))
        if len(lines) > most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return speak(lines, frames=frames)

    monkeypatch.setattr(model, "speak", limited)
    return sizes


def test_a_batch_without_memory_is_spoken_in_smaller_ones(engine: Qwen3Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = cast(engine, clip("ana"))
    sizes = fits(engine, monkeypatch, 2)
    texts = ["ab", "abc", "abcd", "abcde", "abcdef"]

    takes = [audio(result) for result in engine.synthesize([say(profile, text) for text in texts])]

    assert sizes == [5, 2, 2, 1]
    assert [take.duration_s for take in takes] == pytest.approx([0.16, 0.24, 0.32, 0.40, 0.48])


def test_one_take_without_memory_says_when_to_come_back(engine: Qwen3Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = cast(engine, clip("ana"))
    fits(engine, monkeypatch, 0)

    overloaded = error(engine.synthesize([say(profile, "Hi.")]))

    assert isinstance(overloaded, EngineOverloaded)
    assert overloaded.retry_after_s
    assert overloaded.__cause__ is None  # its frames would hold the memory


def test_an_error_of_the_device_itself_is_told_apart(engine: Qwen3Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = cast(engine, clip("ana"))

    def fails(*_args: Any, **_kwargs: Any) -> Any:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered\nadvice")

    monkeypatch.setattr(engine._models[Kind.BASE], "speak", fails)
    monkeypatch.setattr(engine._models[Kind.BASE], "embedding", fails)

    lost = error(engine.synthesize([say(profile, "Hi.")]))

    assert isinstance(lost, DeviceLost)
    assert str(lost).endswith("illegal memory access was encountered")
    with pytest.raises(DeviceLost):
        cast(engine, clip("ana"))


def test_the_design_model_makes_room_for_speech(engine: Qwen3Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = cast(engine, clip("ana"))
    engine.design("Deep.", text="Hi.", language="en", seed=3)
    fits(engine, monkeypatch, 0)

    engine.synthesize([say(profile, "Hi.")])

    assert Kind.DESIGN not in engine._models


def test_casting_without_memory_says_when_to_come_back(engine: Qwen3Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_audio: PcmAudio) -> Any:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(engine._models[Kind.BASE], "embedding", full)

    with pytest.raises(EngineOverloaded):
        cast(engine, clip("ana"))


def test_one_model_failing_costs_the_other_nothing(engine: Qwen3Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    clone, timbre = cast(engine, clip("ana")), cast(engine, named(SourceKind.TIMBRE, "ryan"))

    def broken(_lines: Sequence[Any], *, frames: int) -> Any:
        raise RuntimeError(f"{frames} frames too many")

    monkeypatch.setattr(engine._models[Kind.CUSTOM], "speak", broken)

    failed, spoken = engine.synthesize([say(timbre, "Hi."), say(clone, "Hi.")])

    assert isinstance(failed, EngineFailed)
    assert isinstance(failed.__cause__, RuntimeError)
    assert audio(spoken).duration_s > 0


@pytest.mark.parametrize(
    ("take", "wanted"), [(np.full(1920, np.nan, np.float32), EngineFailed), (np.zeros(0, np.float32), TakeRejected)]
)
def test_nonsense_is_no_take(
    engine: Qwen3Engine, monkeypatch: pytest.MonkeyPatch, take: np.ndarray, wanted: type[TtsError]
) -> None:
    profile = cast(engine, clip("ana"))
    monkeypatch.setattr(engine._models[Kind.BASE], "speak", lambda lines, **_limits: [take] * len(lines))

    assert isinstance(error(engine.synthesize([say(profile, "Hi.")])), wanted)


# -- loading -------------------------------------------------------------------------------------------------------


def test_the_design_model_is_loaded_when_needed_and_leaves_after_ten_idle_minutes(
    tiny_qwen3: Path, clock: Clock
) -> None:
    engine = Qwen3Engine(choices(tiny_qwen3, "base", "design"), clock=clock)
    engine.load()
    profile = cast(engine, clip("ana"))
    before = set(engine._models)

    engine.design("Deep.", text="Hi.", language="en", seed=3)
    clock.now_s += 599.0
    engine.synthesize([say(profile, "Hi.")])
    kept = set(engine._models)
    clock.now_s += 1.0
    engine.synthesize([say(profile, "Hi.")])

    assert before == set(engine._models) == {Kind.BASE}
    assert kept == {Kind.BASE, Kind.DESIGN}


def test_only_the_models_that_are_named_are_loaded(tiny_qwen3: Path) -> None:
    engine = Qwen3Engine(choices(tiny_qwen3, "custom"))
    engine.load()

    assert set(engine._models) == {Kind.CUSTOM}
    assert engine.info.source_kinds == {SourceKind.TIMBRE}
    with pytest.raises(BadVoice, match="QWEN3_BASE_MODEL"):
        cast(engine, clip("ana"))
    with pytest.raises(EngineUnavailable, match="QWEN3_DESIGN_MODEL"):
        engine.design("Deep.", text="Hi.", language="en", seed=1)


def test_only_the_models_that_the_voices_need_are_loaded(tiny_qwen3: Path) -> None:
    engine = Qwen3Engine(choices(tiny_qwen3, "base", "custom", "design"))

    engine.load_for(frozenset({SourceKind.TIMBRE}))

    assert set(engine._models) == {Kind.CUSTOM}
    assert engine.ready_for(frozenset({SourceKind.TIMBRE}))
    assert not engine.ready_for(frozenset({SourceKind.SAMPLE, SourceKind.TIMBRE}))


def test_a_model_may_come_later_and_the_first_stays(tiny_qwen3: Path) -> None:
    engine = Qwen3Engine(choices(tiny_qwen3, "base", "custom"))
    engine.load_for(frozenset({SourceKind.TIMBRE}))
    first = engine._models[Kind.CUSTOM]

    engine.load_for(frozenset({SourceKind.DESIGNED}))

    assert engine._models[Kind.CUSTOM] is first
    assert isinstance(engine.synthesize([say(cast(engine, clip("ana")), "Hi.")])[0], PcmAudio)


def test_a_later_model_that_fails_to_load_leaves_the_first_in_place(tiny_qwen3: Path) -> None:
    broken = Checkpoints(base="/nowhere", custom=str(tiny_qwen3 / "custom_voice"))
    engine = Qwen3Engine(Qwen3Choices(checkpoints=broken, placement=CPU))
    engine.load_for(frozenset({SourceKind.TIMBRE}))

    with pytest.raises(EngineUnavailable, match="QWEN3_BASE_MODEL"):
        engine.load_for(frozenset({SourceKind.SAMPLE}))

    profile = cast(engine, named(SourceKind.TIMBRE, "ryan"))
    assert isinstance(engine.synthesize([say(profile, "Hi.", seed=1)])[0], PcmAudio)


def test_where_no_voice_needs_it_nothing_is_loaded_and_a_voice_that_comes_is_told_so(tiny_qwen3: Path) -> None:
    engine = Qwen3Engine(choices(tiny_qwen3, "base"))

    engine.load_for(frozenset())

    assert not engine._models
    with pytest.raises(BadVoice, match="not loaded"):
        cast(engine, clip("ana"))


def test_a_loaded_model_keeps_its_name_whatever_comes_into_its_folder(tiny_qwen3: Path, tmp_path: Path) -> None:
    folder = tmp_path / "base"
    folder.symlink_to(tiny_qwen3 / "base")
    engine = Qwen3Engine(Qwen3Choices(checkpoints=Checkpoints(base=str(folder)), placement=CPU))
    engine.load()
    before = engine.info.model

    folder.unlink()
    folder.symlink_to(tiny_qwen3 / "custom_voice")

    assert engine.info.model == before


def test_before_loading_nothing_is_spoken(tiny_qwen3: Path) -> None:
    with pytest.raises(EngineUnavailable):
        Qwen3Engine(choices(tiny_qwen3, "base")).synthesize([])


def test_a_design_model_alone_speaks_nothing(tiny_qwen3: Path) -> None:
    with pytest.raises(EngineUnavailable, match="QWEN3_BASE_MODEL"):
        Qwen3Engine(choices(tiny_qwen3, "design")).load()


def test_a_model_of_the_wrong_kind_is_refused(tiny_qwen3: Path) -> None:
    wrong = Checkpoints(base=str(tiny_qwen3 / "custom_voice"))

    with pytest.raises(EngineUnavailable, match="QWEN3_BASE_MODEL has to name a 12 Hz base model"):
        Qwen3Engine(Qwen3Choices(checkpoints=wrong, placement=CPU)).load()


def test_a_folder_that_is_no_checkpoint_is_refused_with_the_setting(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"QWEN3_BASE_MODEL has to be a hub id or folder.*no config\.json"):
        Qwen3Engine(Qwen3Choices(checkpoints=Checkpoints(base=str(tmp_path)), placement=CPU)).load()


def test_a_failed_load_leaves_nothing_behind(tiny_qwen3: Path, tmp_path: Path) -> None:
    broken = Checkpoints(base=str(tiny_qwen3 / "base"), custom=str(tmp_path))
    engine = Qwen3Engine(Qwen3Choices(checkpoints=broken, placement=CPU))

    with pytest.raises(EngineUnavailable, match="QWEN3_CUSTOM_MODEL"):
        engine.load()

    assert not engine._models


def test_a_missing_package_is_named_with_the_cure(tiny_qwen3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "qwen_tts"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "librosa", None)

    with pytest.raises(EngineUnavailable, match="install recado with the extra `gpu`"):
        Qwen3Engine(choices(tiny_qwen3, "base")).load()


def test_a_hub_id_is_fetched_whole_into_the_cache(tiny_qwen3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: list[tuple[str, Path]] = []

    def fetch(repo: str, *, cache_dir: Path) -> str:
        asked.append((repo, cache_dir))
        return str(tiny_qwen3 / "base")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    placement = Placement(device="cpu", cache_dir=Path("models/hub"))
    engine = Qwen3Engine(Qwen3Choices(checkpoints=Checkpoints(base="someone/voices"), placement=placement))
    engine.load()

    assert asked == [("someone/voices", Path("models/hub"))]
    assert engine.info.model == "someone/voices"


def test_a_hub_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def fetch(repo: str, *, cache_dir: Path | None) -> str:
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)

    with pytest.raises(EngineUnavailable, match="could not be fetched from the hub"):
        Qwen3Engine(Qwen3Choices(checkpoints=Checkpoints(base="someone/voices"), placement=CPU)).load()


# -- configuration ---------------------------------------------------------------------------------------------------


def test_a_size_stands_for_the_published_models_that_are_not_named() -> None:
    filled = Checkpoints(custom="mine").or_published(Size.SMALL)

    assert filled == Checkpoints(
        base="Qwen/Qwen3-TTS-12Hz-0.6B-Base", custom="mine", design="Qwen/Qwen3-TTS-12Hz-1.7B-VoiceDesign"
    )
    assert Checkpoints(custom="mine").or_published(None) == Checkpoints(custom="mine")


def test_without_a_setting_it_is_not_configured() -> None:
    assert ENGINES[EngineName.QWEN3].make(TtsSettings(_env_file=None)) is None  # type: ignore[call-arg] # pydantic's


def test_one_setting_configures_all_published_models() -> None:
    settings = TtsSettings(_env_file=None, qwen3_size="0.6B", qwen3_max_batch=4)  # type: ignore[call-arg] # pydantic's

    engine = ENGINES[EngineName.QWEN3].make(settings)

    assert engine is not None
    assert engine.info.model == "Qwen/Qwen3-TTS-12Hz-0.6B-Base + Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice"
    assert (engine.info.max_batch, engine.info.designs) == (4, True)


def test_capabilities_follow_the_models_that_are_named() -> None:
    def info(**named: str) -> Any:
        return Qwen3Engine(Qwen3Choices(checkpoints=Checkpoints(**named))).info

    clones, everything = info(base="b"), info(base="b", custom="c", design="d")

    assert (clones.names, clones.designs) == ((), False)
    assert clones.source_kinds == {SourceKind.SAMPLE, SourceKind.DESIGNED}
    assert everything.source_kinds == {SourceKind.SAMPLE, SourceKind.DESIGNED, SourceKind.TIMBRE}
    assert everything.designs
    assert len(everything.names) == 9
    assert everything.model == "b + c"
