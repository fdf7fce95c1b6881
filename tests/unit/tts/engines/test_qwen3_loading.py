"""Which folders are loaded as checkpoints, and who is blamed for those that are not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tts.engines.qwen3.models import Kind, LoadedModel, Placement, load_model
from tts.errors import EngineUnavailable

torch = pytest.importorskip("torch", reason="needs the extra gpu")


@pytest.fixture
def base(tiny_qwen3: Path, tmp_path: Path) -> Path:
    """A Base checkpoint that may be spoilt."""
    return Path(shutil.copytree(tiny_qwen3 / "base", tmp_path / "base"))


def load(folder: Path, kind: Kind = Kind.BASE, **placement: Any) -> LoadedModel:
    return load_model(str(folder), kind, Placement(**{"device": "cpu"} | placement))


def never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be an error to read weights."""
    from qwen_tts import Qwen3TTSModel

    def read(*_args: Any, **_options: Any) -> Any:
        raise AssertionError("weights were read")

    monkeypatch.setattr(Qwen3TTSModel, "from_pretrained", read)


def keep(file: Path, *, every: int) -> None:
    """Leave only every so many of the tensors of a file."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(file)
    save_file({name: tensors[name] for name in sorted(tensors)[::every]}, file, metadata={"format": "pt"})


def change(folder: Path, **fields: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | fields))


@pytest.mark.parametrize("part", ["model.safetensors", "speech_tokenizer/model.safetensors"])
def test_a_checkpoint_that_lacks_weights_is_refused_because_it_would_speak_noise(base: Path, part: str) -> None:
    keep(base / part, every=2)

    with pytest.raises(EngineUnavailable, match=r"QWEN3_BASE_MODEL: the checkpoint in .* lacks \d+ weights, such as"):
        load(base)


def test_a_checkpoint_in_several_files_is_whole(base: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(base / "model.safetensors")
    (base / "model.safetensors").unlink()
    parts = {"model-1.safetensors": sorted(tensors)[::2], "model-2.safetensors": sorted(tensors)[1::2]}
    for file, names in parts.items():
        save_file({name: tensors[name] for name in names}, base / file, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: file for file, names in parts.items() for name in names}}
    (base / "model.safetensors.index.json").write_text(json.dumps(index))

    assert load(base).kind is Kind.BASE


def test_a_model_of_another_kind_is_told_before_its_weights_are_read(
    tiny_qwen3: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_read(monkeypatch)

    with pytest.raises(
        EngineUnavailable, match=r"QWEN3_BASE_MODEL has to name a 12 Hz base model, .* is a custom_voice"
    ):
        load(tiny_qwen3 / "custom_voice")


@pytest.mark.parametrize(
    "fields", [{"tokenizer_type": "qwen3_tts_tokenizer_25hz"}, {"model_type": "llama"}, {"tts_model_type": None}]
)
def test_another_family_or_tokenizer_is_told_before_its_weights_are_read(
    base: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any]
) -> None:
    change(base, **fields)
    never_read(monkeypatch)

    with pytest.raises(EngineUnavailable, match="QWEN3_BASE_MODEL has to name a 12 Hz base model"):
        load(base)


@pytest.mark.parametrize("config", ["[]", "not JSON", "null", None])
def test_a_configuration_that_is_none_is_blamed_on_its_setting(base: Path, config: str | None) -> None:
    (base / "config.json").unlink()
    if config is not None:
        (base / "config.json").write_text(config)

    with pytest.raises(EngineUnavailable, match="QWEN3_BASE_MODEL has to"):
        load(base)


def test_a_device_that_is_not_here_is_blamed_on_its_own_setting(base: Path) -> None:
    with pytest.raises(EngineUnavailable, match="QWEN3_DEVICE 'cuda:99' cannot be used here"):
        load(base, device="cuda:99")


def test_attention_that_is_not_installed_is_blamed_on_its_own_setting(base: Path) -> None:
    from transformers.utils.import_utils import is_flash_attn_2_available

    if is_flash_attn_2_available():
        pytest.skip("flash-attn is here")
    with pytest.raises(EngineUnavailable, match=r"QWEN3_ATTENTION 'flash_attention_2' needs .* take sdpa"):
        load(base, attention="flash_attention_2")


@pytest.mark.parametrize("file", ["model.safetensors", "vocab.json", "speech_tokenizer/config.json"])
def test_a_truncated_file_is_blamed_on_the_checkpoint(base: Path, file: str) -> None:
    (base / file).write_bytes((base / file).read_bytes()[:100])

    with pytest.raises(EngineUnavailable, match=r"QWEN3_BASE_MODEL has to be a hub id or folder"):
        load(base)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED")]
)
def test_a_full_device_is_blamed_on_no_checkpoint(
    base: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    from qwen_tts import Qwen3TTSModel

    def full(*_args: Any, **_options: Any) -> Any:
        raise error

    monkeypatch.setattr(Qwen3TTSModel, "from_pretrained", full)

    with pytest.raises(EngineUnavailable, match=r"cpu has no room for base@\w{8}: take 0\.6B models"):
        load(base)
