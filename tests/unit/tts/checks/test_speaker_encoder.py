import numpy as np
import pytest

from tts.checks.speaker_encoder import ResemblyzerEncoder, _voiced, _windows, encoder_installed, mel_spectrogram
from tts.engines.fake import tone
from tts.errors import EngineUnavailable

needs_weights = pytest.mark.skipif(not encoder_installed(), reason="needs the extra similarity")


def test_mel_energies_are_those_of_librosa() -> None:
    librosa = pytest.importorskip("librosa")
    samples = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)

    theirs = librosa.feature.melspectrogram(y=samples, sr=16_000, n_fft=400, hop_length=160, n_mels=40).T

    np.testing.assert_allclose(mel_spectrogram(samples), theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("frames", "windows"), [(40, 1), (160, 1), (237, 2), (300, 3), (400, 4)])
def test_windows_cover_the_audio(frames: int, windows: int) -> None:
    assert _windows(np.ones((frames, 40), np.float32)).shape == (windows, 160, 40)


def test_silence_is_left_out_and_quiet_speech_raised() -> None:
    speech = tone("a", seconds=1.0).samples[:16_000] * np.float32(0.01)
    kept = _voiced(np.concatenate([speech, np.zeros(16_000, np.float32), speech]))

    assert len(kept) == pytest.approx(32_000, abs=1000)
    assert 20 * np.log10(np.sqrt(np.mean(kept**2))) == pytest.approx(-30.0, abs=0.1)


@needs_weights
async def test_an_embedding_has_norm_one_and_knows_its_voice_again() -> None:
    encoder = ResemblyzerEncoder()
    try:
        first, second = [await encoder.embed(tone("a", seconds=seconds)) for seconds in (3.0, 4.0)]
    finally:
        encoder.close()

    assert first.shape == (256,)
    assert np.linalg.norm(first) == pytest.approx(1.0, abs=1e-5)
    assert float(first @ second) > 0.7


async def test_without_its_weights_it_names_the_cure(tmp_path: object) -> None:
    pytest.importorskip("torch")
    encoder = ResemblyzerEncoder(weights=tmp_path / "none.pt")  # type: ignore[operator]

    with pytest.raises(EngineUnavailable, match="extra `similarity`"):
        await encoder.embed(tone("a", seconds=2.0))
    encoder.close()
