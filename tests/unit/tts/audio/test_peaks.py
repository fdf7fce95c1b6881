import numpy as np
import pytest

from tts.audio.peaks import PEAK_COUNT, peaks
from tts.contract import PcmAudio


def outline(samples: np.ndarray) -> tuple[int, ...]:
    return peaks(PcmAudio(samples=samples.astype(np.float32), sample_rate_hz=16_000))


def test_a_ramp_draws_a_ramp_to_a_hundred() -> None:
    levels = outline(np.linspace(0, 0.3, 64_000))

    assert len(levels) == PEAK_COUNT
    assert list(levels) == sorted(levels)
    assert levels[-1] == 100


def test_quiet_and_loud_audio_draw_the_same_outline() -> None:
    ramp = np.linspace(0, 1, 64_000)

    assert outline(ramp * 0.01) == outline(ramp)


@pytest.mark.parametrize("length", [0, 5, 1_000])
def test_silence_of_any_length_draws_zeros(length: int) -> None:
    assert outline(np.zeros(length)) == (0,) * PEAK_COUNT


def test_audio_of_a_few_samples_still_draws_64_levels() -> None:
    assert len(outline(np.ones(3))) == PEAK_COUNT
