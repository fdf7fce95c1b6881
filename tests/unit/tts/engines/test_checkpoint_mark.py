from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tts.engines.checkpoint_mark import model_name

pytest.importorskip("safetensors", reason="needs the extra gpu")


def checkpoint(folder: Path, *, value: float = 0.0, at: int = 500, **config: object) -> Path:
    """A folder with a configuration and one tensor of a thousand zeros, but for `value` in one place."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "tiny"} | config))
    tensor = np.zeros(1000, np.float32)
    tensor[at] = value
    save_file({"weight": tensor}, folder / "model.safetensors")
    return folder


def test_a_hub_id_is_its_own_name() -> None:
    assert model_name("Qwen/Qwen3-TTS-12Hz-1.7B-Base") == "Qwen/Qwen3-TTS-12Hz-1.7B-Base"


def test_a_folder_is_called_by_its_name_and_a_mark_wherever_it_lies(tmp_path: Path) -> None:
    first, second = (model_name(str(checkpoint(tmp_path / place / "base"))) for place in ("here", "there"))

    assert first == second
    assert first.partition("@")[0] == "base"
    assert len(first.partition("@")[2]) == 8


def test_another_configuration_is_another_model(tmp_path: Path) -> None:
    assert model_name(str(checkpoint(tmp_path / "a" / "base"))) != model_name(
        str(checkpoint(tmp_path / "b" / "base", hidden_size=3))
    )


def test_another_training_of_the_same_shape_is_another_model(tmp_path: Path) -> None:
    assert model_name(str(checkpoint(tmp_path / "a" / "base"))) != model_name(
        str(checkpoint(tmp_path / "b" / "base", value=1.0))
    )


def test_what_changes_in_the_folder_later_is_seen(tmp_path: Path) -> None:
    before = model_name(str(checkpoint(tmp_path / "base")))

    checkpoint(tmp_path / "base", value=1.0)
    os.utime(tmp_path / "base" / "model.safetensors", (1, 1))

    assert model_name(str(tmp_path / "base")) != before


def test_of_a_torch_file_every_value_counts(tmp_path: Path) -> None:
    def packed(place: str, content: bytes) -> str:
        (tmp_path / place).mkdir()
        with zipfile.ZipFile(tmp_path / place / "model.pth", "w") as archive:
            archive.writestr("data/0", content)
        return model_name(str(tmp_path / place)).partition("@")[2]

    assert packed("a", b"0" * 999) != packed("b", b"0" * 998 + b"1")


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64, (2).to_bytes(8, "little") + b"[]"])
@pytest.mark.parametrize("name", ["model.safetensors", "model.pth"])
def test_a_damaged_file_has_a_mark_as_well(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    assert "@" in model_name(str(tmp_path))
