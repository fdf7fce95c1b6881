import shutil
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from tests.tiny.bark import PRESETS
from tts.contract import PcmAudio, SourceKind, Utterance, Voice, VoiceSource
from tts.engines import ENGINES
from tts.engines import bark as module
from tts.engines.bark import BarkEngine
from tts.errors import BadText, BadVoice, EngineFailed, EngineOverloaded, EngineUnavailable, TtsError
from tts.settings import EngineName, TtsSettings

torch = pytest.importorskip("torch", reason="needs the extra bark")

LONG = "Um dois três quatro, cinco seis sete oito. Nove dez onze doze, treze catorze."


@pytest.fixture(scope="module")
def engine(tiny_bark: Path) -> BarkEngine:
    engine = BarkEngine(model=str(tiny_bark), device="cpu")
    engine.load()
    return engine


def speaker(name: str = PRESETS[1], weight: float = 1.0) -> VoiceSource:
    return VoiceSource(kind=SourceKind.TIMBRE, ref=name, weight=weight)


def utterance(
    text: str = "Bom dia.", *sources: VoiceSource, expected_s: float = 0.5, seed: int | None = None
) -> Utterance:
    voice = Voice(id="v", language="pt-BR", sources=sources or (speaker(),))
    return Utterance(text=text, language="pt-BR", voice=voice, expected_s=expected_s, seed=seed)


def spoken(engine: BarkEngine, item: Utterance) -> PcmAudio:
    (result,) = engine.synthesize([item])
    assert isinstance(result, PcmAudio), result
    return result


def refused(engine: BarkEngine, item: Utterance) -> TtsError:
    (result,) = engine.synthesize([item])
    assert isinstance(result, TtsError)
    return result


def test_it_names_the_presets_of_its_checkpoint(engine: BarkEngine) -> None:
    assert engine.info.names == PRESETS


def test_before_loading_it_names_the_published_ones() -> None:
    info = BarkEngine(model="suno/bark-small").info

    assert len(info.names) == 130
    assert {"v2/pt_speaker_0", "v2/en_speaker_9"} <= set(info.names)
    assert (info.licence, info.model) == ("MIT", "suno/bark-small")


def test_the_same_seed_gives_the_same_take_and_another_another(engine: BarkEngine) -> None:
    first, again, other = (spoken(engine, utterance(seed=seed)) for seed in (1, 1, 2))

    assert np.array_equal(first.samples, again.samples)
    assert not np.array_equal(first.samples, other.samples)


def test_a_seed_leaves_the_random_numbers_of_others_alone(engine: BarkEngine) -> None:
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)

    spoken(engine, utterance(seed=9))

    assert torch.equal(torch.rand(1), wanted)


def test_another_preset_is_another_voice(engine: BarkEngine) -> None:
    one, other = (spoken(engine, utterance("Bom dia.", speaker(name), seed=1)) for name in PRESETS)

    assert not np.array_equal(one.samples, other.samples)


def test_a_take_that_would_not_end_is_cut(engine: BarkEngine) -> None:
    take = spoken(engine, utterance(expected_s=2.0))

    assert 4.0 <= take.duration_s <= 5.5


def test_a_text_longer_than_the_models_know_is_spoken_in_pieces(engine: BarkEngine) -> None:
    with patch.object(module, "_infer", wraps=module._infer) as infer, patch.object(module, "LONGEST_S", 1.5):
        spoken(engine, utterance(LONG, expected_s=4.0))

    pieces = [call.args[1] for call in infer.call_args_list]
    assert len(pieces) == 4
    assert " ".join(pieces) == LONG


def test_a_word_without_end_is_refused(engine: BarkEngine) -> None:
    assert isinstance(refused(engine, utterance("a" * 400, expected_s=20.0)), BadText)


def test_brackets_are_no_orders(engine: BarkEngine) -> None:
    with patch.object(module, "_infer", wraps=module._infer) as infer:
        spoken(engine, utterance("Bom [laughs] dia ♪"))

    assert infer.call_args.args[1] == "Bom laughs dia"


def test_an_unknown_preset_is_refused_with_the_valid_ones(engine: BarkEngine) -> None:
    error = refused(engine, utterance("Oi.", speaker("v2/tlh_speaker_1")))

    assert isinstance(error, BadVoice)
    assert PRESETS[0] in str(error)


def test_a_mix_of_presets_is_refused(engine: BarkEngine) -> None:
    error = refused(engine, utterance("Oi.", speaker(PRESETS[0]), speaker(PRESETS[1])))

    assert isinstance(error, BadVoice)
    assert "cannot mix" in str(error)


def test_a_preset_without_weight_makes_no_mix(engine: BarkEngine) -> None:
    spoken(engine, utterance("Oi.", speaker(PRESETS[0], weight=0.0), speaker(PRESETS[1])))


def test_a_full_device_is_told_apart_from_a_failure(engine: BarkEngine) -> None:
    def fails(error: RuntimeError) -> TtsError:
        with patch.object(module, "_infer", side_effect=error):
            return refused(engine, utterance())

    assert isinstance(fails(torch.OutOfMemoryError("full")), EngineOverloaded)
    assert type(fails(RuntimeError("shapes differ"))) is EngineFailed


@pytest.mark.parametrize("error", [IndexError("x"), ValueError("x"), KeyError("x"), TypeError("x")])
def test_whatever_the_model_raises_costs_its_neighbours_nothing(engine: BarkEngine, error: Exception) -> None:
    infer = module._infer

    def breaks(loaded: object, text: str, *rest: object, **options: object) -> PcmAudio:
        if text == "Oi.":
            raise error
        return infer(loaded, text, *rest, **options)  # type: ignore[arg-type] # handed on as they came

    with patch.object(module, "_infer", breaks):
        first, failed, third = engine.synthesize([utterance(), utterance("Oi."), utterance()])

    assert isinstance(first, PcmAudio)
    assert isinstance(failed, EngineFailed)
    assert failed.__cause__ is error
    assert isinstance(third, PcmAudio)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", "[]"),
        ("config.json", "{"),
        ("generation_config.json", "[]"),
        ("speaker_embeddings_path.json", "[]"),
    ],
)
def test_a_damaged_file_names_the_cure(tiny_bark: Path, tmp_path: Path, file: str, content: str) -> None:
    copy = Path(shutil.copytree(tiny_bark, tmp_path / "copy"))
    (copy / file).write_text(content)

    with pytest.raises(EngineUnavailable, match="BARK_MODEL has to be a folder"):
        BarkEngine(model=str(copy), device="cpu").load()


def test_a_device_that_is_not_here_is_blamed_on_its_own_setting(tiny_bark: Path) -> None:
    with pytest.raises(EngineUnavailable, match="BARK_DEVICE 'cuda:99' cannot be used here"):
        BarkEngine(model=str(tiny_bark), device="cuda:99").load()


def test_a_full_device_is_blamed_on_no_checkpoint(tiny_bark: Path) -> None:
    with (
        patch.object(module, "_infer", side_effect=RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED")),
        pytest.raises(EngineUnavailable, match=r"cpu has no room for tiny-bark.*BARK_DEVICE"),
    ):
        BarkEngine(model=str(tiny_bark), device="cpu").load()


def test_a_folder_without_a_checkpoint_names_the_cure(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="BARK_MODEL has to be a folder"):
        BarkEngine(model=str(tmp_path), device="cpu").load()


def test_a_checkpoint_whose_presets_are_missing_is_refused(tiny_bark: Path, tmp_path: Path) -> None:
    for file in tiny_bark.iterdir():
        if file.is_file():
            (tmp_path / file.name).symlink_to(file)

    with pytest.raises(EngineUnavailable, match="no speaker presets"):
        BarkEngine(model=str(tmp_path), device="cpu").load()


def test_it_speaks_only_while_loaded(tiny_bark: Path) -> None:
    with pytest.raises(EngineUnavailable):
        BarkEngine(model=str(tiny_bark)).synthesize([utterance()])


def test_without_a_model_it_is_not_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BARK_MODEL", raising=False)

    assert ENGINES[EngineName.BARK].make(TtsSettings(_env_file=None)) is None


def test_with_one_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARK_MODEL", "suno/bark-small")

    assert isinstance(ENGINES[EngineName.BARK].make(TtsSettings(_env_file=None)), BarkEngine)
