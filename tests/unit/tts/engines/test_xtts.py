import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tts.contract import PcmAudio, PreparedSource, SourceKind, Utterance, Voice, VoiceProfile, VoiceSource
from tts.engines import ENGINES
from tts.engines.fake import tone
from tts.engines.xtts import XttsEngine
from tts.engines.xtts.text import pieces, plain, spelled
from tts.errors import BadAudio, BadText, BadVoice, EngineFailed, EngineOverloaded, EngineUnavailable, TtsError
from tts.settings import EngineName, TtsSettings

LOW, HIGH = tone("low", seconds=2.0), tone("high", seconds=3.0)


@pytest.fixture(scope="module")
def engine(tiny_xtts: Path) -> Iterator[XttsEngine]:
    engine = XttsEngine(model=str(tiny_xtts), device="cpu", cap_ratio=1.0)
    engine.load()
    yield engine
    engine.close()


def sample(ref: str, audio: PcmAudio | None, weight: float = 1.0) -> PreparedSource:
    return PreparedSource(source=VoiceSource(kind=SourceKind.SAMPLE, ref=ref, weight=weight), audio=audio)


def speaker(ref: str, weight: float = 1.0) -> PreparedSource:
    return PreparedSource(source=VoiceSource(kind=SourceKind.TIMBRE, ref=ref, weight=weight))


def cast(engine: XttsEngine, *sources: PreparedSource) -> VoiceProfile:
    voice = Voice(id="v", language="en", version=7, sources=tuple(prepared.source for prepared in sources))
    return engine.cast(voice, sources)


def tensors(profile: VoiceProfile) -> tuple[np.ndarray, np.ndarray]:
    from safetensors.numpy import load

    loaded = load(profile.data)
    return loaded["gpt_cond_latent"], loaded["speaker_embedding"]


def say(
    engine: XttsEngine,
    text: str,
    *,
    profile: VoiceProfile | None,
    language: str = "en",
    expected_s: float = 0.5,
    speed: float = 1.0,
    seed: int | None = None,
) -> PcmAudio | TtsError:
    voice = Voice(id="v", language=language, speed=speed)
    utterance = Utterance(text=text, language=language, voice=voice, expected_s=expected_s, seed=seed, profile=profile)
    (result,) = engine.synthesize([utterance])
    return result


def heard(result: PcmAudio | TtsError) -> PcmAudio:
    assert isinstance(result, PcmAudio), result
    return result


@pytest.fixture(scope="module")
def profile(engine: XttsEngine) -> VoiceProfile:
    return cast(engine, speaker("Ana Example"))


def test_a_sample_becomes_latents_and_a_normed_embedding(engine: XttsEngine) -> None:
    latent, embedding = tensors(cast(engine, sample("low", LOW)))

    assert latent.shape == (1, 32, 32)
    assert embedding.shape == (1, 512, 1)
    assert np.linalg.norm(embedding) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    "channels",
    [np.stack([LOW.samples, LOW.samples], axis=1), np.stack([LOW.samples, LOW.samples])],
    ids=["(n, 2)", "(2, n)"],
)
def test_a_stereo_clip_is_the_voice_of_its_mix(engine: XttsEngine, channels: np.ndarray) -> None:
    stereo = PcmAudio(samples=channels, sample_rate_hz=LOW.sample_rate_hz)

    profile = cast(engine, sample("low", stereo))

    assert profile.data == cast(engine, sample("low", LOW)).data
    assert dict(profile.facts)["reference_s"] == pytest.approx(2.0)


def test_a_profile_names_what_it_was_made_of_and_for(engine: XttsEngine) -> None:
    profile = cast(engine, sample("low", LOW, 1.0), sample("high", HIGH, 1.0))

    assert (profile.voice_id, profile.voice_version) == ("v", 7)
    assert (profile.engine, profile.model) == ("xtts", engine.info.model)
    facts = dict(profile.facts)
    assert facts["reference_s"] == pytest.approx(5.0)
    assert 0 < facts["similarity:low"] <= 1.0001
    assert 0 < facts["similarity:high"] <= 1.0001


def test_a_mix_weighs_latents_and_embeddings_alike(engine: XttsEngine) -> None:
    (low_latent, low_embedding), (high_latent, high_embedding) = (
        tensors(cast(engine, sample("a", audio))) for audio in (LOW, HIGH)
    )

    latent, embedding = tensors(cast(engine, sample("a", LOW, 3.0), sample("b", HIGH, 1.0)))

    wanted = 0.75 * low_embedding + 0.25 * high_embedding
    np.testing.assert_allclose(latent, 0.75 * low_latent + 0.25 * high_latent, atol=1e-5)
    np.testing.assert_allclose(embedding, wanted / np.linalg.norm(wanted), atol=1e-5)


def test_designed_clips_and_own_speakers_mix_with_samples(engine: XttsEngine) -> None:
    clip = PreparedSource(source=VoiceSource(kind=SourceKind.DESIGNED, ref="clip"), audio=HIGH)

    profile = cast(engine, clip, speaker("Rui Example"), sample("low", LOW))

    assert {name for name, _ in profile.facts} == {
        "reference_s", "similarity:clip", "similarity:Rui Example", "similarity:low"
    }  # fmt: skip


def test_a_source_without_weight_is_not_even_listened_to(engine: XttsEngine) -> None:
    profile = cast(engine, sample("low", LOW), sample("missing", None, 0.0))

    assert profile.data == cast(engine, sample("low", LOW)).data


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        (sample("short", tone("a", seconds=0.3)), BadAudio, "0.30 s long"),
        (sample("gone", None), BadVoice, "missing"),
        (
            sample("nan", PcmAudio(samples=np.full(48_000, np.nan, np.float32), sample_rate_hz=24_000)),
            BadAudio,
            "no numbers",
        ),
        (
            sample("inf", PcmAudio(samples=np.full(48_000, np.inf, np.float32), sample_rate_hz=24_000)),
            BadAudio,
            "no numbers",
        ),
        (speaker("Nobody"), BadVoice, "valid: Ana Example, Rui Example"),
        (PreparedSource(source=VoiceSource(kind=SourceKind.STYLE, ref="low")), BadVoice, "style"),
        (sample("none", LOW, 0.0), BadVoice, "all weights"),
    ],
)
def test_an_unusable_source_is_refused_with_what_and_why(
    engine: XttsEngine, source: PreparedSource, error: type[TtsError], says: str
) -> None:
    with pytest.raises(error, match=says):
        cast(engine, source)


def test_the_same_seed_gives_the_same_take(engine: XttsEngine, profile: VoiceProfile) -> None:
    first, second, other = (heard(say(engine, "hello there", profile=profile, seed=seed)) for seed in (5, 5, 6))

    np.testing.assert_array_equal(first.samples, second.samples)
    assert not np.array_equal(first.samples, other.samples)


def test_a_seed_leaves_the_process_random_state_alone(engine: XttsEngine, profile: VoiceProfile) -> None:
    import torch

    before = torch.random.get_rng_state()
    say(engine, "hello there", profile=profile, seed=5)

    assert torch.equal(before, torch.random.get_rng_state())


def test_another_voice_sounds_different(engine: XttsEngine, profile: VoiceProfile) -> None:
    one = heard(say(engine, "hello", profile=profile, seed=1))
    other = heard(say(engine, "hello", profile=cast(engine, speaker("Rui Example")), seed=1))

    assert not np.array_equal(one.samples[:4000], other.samples[:4000])


def test_a_model_that_never_stops_is_cut_at_its_cap(engine: XttsEngine, profile: VoiceProfile) -> None:
    take = heard(say(engine, "hello", profile=profile, expected_s=1.0))

    assert take.duration_s == pytest.approx(2.0, abs=0.15)


def test_speed_shortens_what_is_said(engine: XttsEngine, profile: VoiceProfile) -> None:
    import torch

    codes = torch.zeros((1, 40), dtype=torch.long)
    model = engine._loaded()
    generate, model.gpt.generate = model.gpt.generate, lambda **_: codes
    try:
        slow, fast = (heard(say(engine, "hello", profile=profile, speed=speed)) for speed in (1.0, 2.0))
    finally:
        model.gpt.generate = generate

    assert fast.duration_s == pytest.approx(slow.duration_s / 2, rel=0.05)


def test_text_over_the_models_limit_is_said_in_parts(engine: XttsEngine, profile: VoiceProfile) -> None:
    asked: list[str] = []
    model = engine._loaded()
    inference = model.inference

    def listening(text: str, *rest: object, **options: object) -> object:
        asked.append(text)
        return inference(text, *rest, **options)

    model.inference = listening
    try:
        text = "A casa é grande, e o jardim também. " * 12
        heard(say(engine, text, profile=profile, language="pt-BR", expected_s=1.0))
    finally:
        model.inference = inference

    assert len(asked) > 1
    assert all(len(part) <= 203 for part in asked)
    assert " ".join(asked) == text.strip()


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        ({"text": "hello", "language": "xx"}, BadVoice, "valid: ar, cs, de"),
        ({"text": "…"}, BadText, "nothing"),
        ({"text": "a" * 450}, BadText, "450 letters"),
        ({"text": "hello", "speed": 3.0}, BadVoice, "0.5 to 2.0"),
    ],
)
def test_what_cannot_be_said_is_a_typed_result(
    engine: XttsEngine, profile: VoiceProfile, asked: dict[str, Any], error: type[TtsError], says: str
) -> None:
    result = say(engine, profile=profile, **asked)

    assert isinstance(result, error)
    assert says in str(result)


def test_a_voice_that_was_not_cast_is_refused(engine: XttsEngine) -> None:
    assert "not been cast" in str(say(engine, "hello", profile=None))


def test_a_profile_of_another_model_is_refused(engine: XttsEngine, profile: VoiceProfile) -> None:
    foreign = VoiceProfile(voice_id="v", voice_version=1, engine="xtts", model="other", data=profile.data)

    assert "made by xtts other" in str(say(engine, "hello", profile=foreign))


def damaged(profile: VoiceProfile, **tensors: np.ndarray) -> VoiceProfile:
    from safetensors.numpy import load, save

    return replace(profile, data=save(load(profile.data) | tensors))


@pytest.mark.parametrize(
    "tensors",
    [
        {"gpt_cond_latent": np.ones((1, 32, 31), np.float32)},
        {"gpt_cond_latent": np.ones((1, 0, 32), np.float32)},
        {"gpt_cond_latent": np.ones(32, np.float32)},
        {"gpt_cond_latent": np.full((1, 32, 32), np.nan, np.float32)},
        {"speaker_embedding": np.ones((1, 512, 1), np.float64)},
        {"speaker_embedding": np.ones((512,), np.float32)},
    ],
    ids=["narrow", "empty", "flat", "nan", "double", "flat embedding"],
)
def test_a_profile_that_would_fail_in_the_model_asks_for_a_new_casting(
    engine: XttsEngine, profile: VoiceProfile, tensors: dict[str, np.ndarray]
) -> None:
    refused = say(engine, "hello", profile=damaged(profile, **tensors))

    assert isinstance(refused, BadVoice)
    assert "cast the voice again" in str(refused)


@pytest.mark.parametrize("data", [b"", b"not safetensors", b"\xff" * 64])
def test_bytes_that_are_no_profile_ask_for_a_new_casting(
    engine: XttsEngine, profile: VoiceProfile, data: bytes
) -> None:
    assert isinstance(say(engine, "hello", profile=replace(profile, data=data)), BadVoice)


@pytest.mark.parametrize("expected_s", [float("nan"), float("inf")])
def test_what_nobody_foresaw_costs_its_neighbours_nothing(
    engine: XttsEngine, profile: VoiceProfile, expected_s: float
) -> None:
    voice = Voice(id="v", language="en")
    good = Utterance(text="hello", language="en", voice=voice, expected_s=0.5, profile=profile)

    failed, spoken = engine.synthesize([replace(good, expected_s=expected_s), good])

    assert isinstance(failed, EngineFailed)
    heard(spoken)


@pytest.mark.parametrize("error", [ValueError("x"), IndexError("x"), KeyError("x"), TypeError("x"), RuntimeError("x")])
def test_whatever_the_model_raises_is_a_result(
    engine: XttsEngine, profile: VoiceProfile, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(*_args: object, **_options: object) -> object:
        raise error

    monkeypatch.setattr(engine._loaded(), "inference", broken)

    failed = say(engine, "hello", profile=profile)

    assert isinstance(failed, EngineFailed)
    assert failed.__cause__ is error


def test_half_a_character_is_left_out_and_the_rest_is_said(engine: XttsEngine, profile: VoiceProfile) -> None:
    halved, whole = (heard(say(engine, text, profile=profile, seed=1)) for text in ("hello \ud83d you", "hello you"))

    np.testing.assert_array_equal(halved.samples, whole.samples)


@pytest.mark.parametrize(
    ("language", "text"),
    [("hi", "10:30"), ("hi", "3,5"), ("hi", "50%"), ("cs", "1st"), ("pt", "9" * 30), ("es", "9" * 30)],
)
def test_a_number_that_the_tokenizer_cannot_spell_is_said_all_the_same(
    engine: XttsEngine, profile: VoiceProfile, language: str, text: str
) -> None:
    heard(say(engine, f"a {text} b", profile=profile, language=language))


def test_no_memory_is_told_apart_from_failure(
    engine: XttsEngine, profile: VoiceProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def full(*_args: object, **_options: object) -> object:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(engine._loaded(), "inference", full)

    assert isinstance(say(engine, "hello", profile=profile), EngineOverloaded)


def test_it_refuses_to_speak_before_it_is_loaded(tiny_xtts: Path) -> None:
    with pytest.raises(EngineUnavailable):
        XttsEngine(model=str(tiny_xtts)).synthesize([])


def test_a_folder_without_a_checkpoint_says_what_belongs_there(tiny_xtts: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"config\.json, model\.pth, vocab\.json"):
        XttsEngine(model=str(tmp_path)).load()


@pytest.fixture
def copy(tiny_xtts: Path, tmp_path: Path) -> Path:
    """A checkpoint that may be spoilt."""
    return Path(shutil.copytree(tiny_xtts, tmp_path / "copy"))


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", b"[]"),
        ("config.json", b"{"),
        ("config.json", b'{"model": "qwen"}'),
        ("model.pth", b"PK\x03\x04 and no more"),
        ("vocab.json", b"[]"),
        ("speakers_xtts.pth", b"nothing"),
    ],
)
def test_a_damaged_file_says_what_belongs_there(copy: Path, file: str, content: bytes) -> None:
    (copy / file).write_bytes(content)

    with pytest.raises(EngineUnavailable, match=r"XTTS_MODEL has to be a folder with config\.json"):
        XttsEngine(model=str(copy), device="cpu").load()


def test_a_checkpoint_of_another_family_says_what_belongs_there(tiny_qwen3: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"XTTS_MODEL has to be a folder with config\.json"):
        XttsEngine(model=str(tiny_qwen3 / "base"), device="cpu").load()


def test_a_device_that_is_not_here_is_blamed_on_its_own_setting(tiny_xtts: Path) -> None:
    with pytest.raises(EngineUnavailable, match="XTTS_DEVICE 'cuda:99' cannot be used here"):
        XttsEngine(model=str(tiny_xtts), device="cuda:99").load()


@pytest.mark.parametrize("step", ["load_checkpoint", "inference"])
def test_a_full_device_is_blamed_on_no_checkpoint(tiny_xtts: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    import torch
    from TTS.tts.models.xtts import Xtts

    def full(*_args: object, **_options: object) -> object:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Xtts, step, full)

    with pytest.raises(EngineUnavailable, match=r"cpu has no room for tiny-xtts@.*XTTS_DEVICE"):
        XttsEngine(model=str(tiny_xtts), device="cpu").load()


def test_a_path_that_is_no_folder_is_named(tiny_xtts: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"XTTS_MODEL '\./no/such/folder'"):
        XttsEngine(model="./no/such/folder").load()


def test_without_a_model_it_is_not_configured() -> None:
    assert ENGINES[EngineName.XTTS].make(TtsSettings(xtts_model=None)) is None


def test_without_the_licence_accepted_it_is_not_configured_and_says_why() -> None:
    with pytest.raises(EngineUnavailable, match=r"CPML.*non-commercial.*XTTS_ACCEPT_CPML=true"):
        ENGINES[EngineName.XTTS].make(TtsSettings(xtts_model="coqui/XTTS-v2"))


def test_with_the_licence_accepted_it_is_there() -> None:
    engine = ENGINES[EngineName.XTTS].make(TtsSettings(xtts_model="coqui/XTTS-v2", xtts_accept_cpml=True))

    assert engine is not None
    assert "CPML" in engine.info.licence


def test_orders_to_the_tokenizer_are_only_text() -> None:
    assert plain("oi [pt] você [STOP]") == "oi pt você STOP"


def test_numbers_are_spelled_part_by_part() -> None:
    assert spelled("10:30", "hi") == "दस तीस"
    assert spelled("50% de 3,5", "pt") == "cinquenta% de três cinco"
    assert spelled("10:30", "no language") == "10:30"


def test_text_is_parted_at_sentences_first_then_clauses_then_words() -> None:
    parted = pieces("one two, three. four five six seven", fits=lambda text: len(text) <= 15)

    assert parted == ["one two, three.", "four five", "six seven"]


def test_text_without_spaces_is_parted_between_its_signs() -> None:
    assert pieces("今日は良い天気", fits=lambda text: len(text) <= 4) == ["今日は", "良い天気"]
