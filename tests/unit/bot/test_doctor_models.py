from __future__ import annotations

import base64
import hashlib
from importlib import metadata
from pathlib import Path

import pytest

from bot.doctor.finding import Level
from bot.doctor.models import own_model, packaged_model


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The weights of an installed package `voice`, recorded as pip records them."""
    file = tmp_path / "voice" / "part.bin"
    file.parent.mkdir()
    file.write_bytes(b"weights")
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"weights").digest()).rstrip(b"=").decode()
    info = tmp_path / "voice-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: voice\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"voice/part.bin,sha256={digest},7\nvoice-1.0.dist-info/RECORD,,\n")
    return file


def look(weights: Path, *, heavy: bool) -> Level:
    def find(name: str) -> metadata.Distribution:
        return metadata.PathDistribution(weights.parents[1] / f"{name}-1.0.dist-info")

    return packaged_model("voice", ["voice"], heavy=heavy, find=find).level


@pytest.mark.parametrize("heavy", [False, True])
def test_an_intact_model_is_fine(weights: Path, heavy: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert look(weights, heavy=heavy) is Level.OK


def test_a_model_cut_short_fails(weights: Path) -> None:
    weights.write_bytes(b"weigh")
    assert look(weights, heavy=False) is Level.FAIL


def test_a_missing_file_fails(weights: Path) -> None:
    weights.unlink()
    assert look(weights, heavy=False) is Level.FAIL


def test_a_changed_byte_is_found_by_the_heavy_look_only(weights: Path) -> None:
    weights.write_bytes(b"Weights")
    assert look(weights, heavy=False) is Level.OK
    assert look(weights, heavy=True) is Level.FAIL


def test_a_package_that_is_not_installed_fails_and_is_named() -> None:
    finding = packaged_model("voice", ["no-such-voice-anywhere"], heavy=False)
    assert finding.level is Level.FAIL
    assert "no-such-voice-anywhere" in finding.cure


def test_a_model_of_ones_own_must_exist(tmp_path: Path) -> None:
    assert own_model("voice", "KOKORO_MODEL_PATH", tmp_path).level is Level.OK
    assert own_model("voice", "KOKORO_MODEL_PATH", tmp_path / "none.onnx").level is Level.FAIL
