import numpy as np
import pytest

from tts.audio.pace import at_pace
from tts.contract import PcmAudio

RATE_HZ = 24_000


def hum(hz: float, *, seconds: float = 2.0) -> PcmAudio:
    wave = 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)
    return PcmAudio(samples=wave.astype(np.float32), sample_rate_hz=RATE_HZ)


def pitch_hz(audio: PcmAudio) -> float:
    spectrum = np.abs(np.fft.rfft(audio.samples * np.hanning(len(audio.samples))))
    return float(np.argmax(spectrum)) * RATE_HZ / len(audio.samples)


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.25, 2.0])
def test_speech_gets_shorter_or_longer_by_the_factor(speed: float) -> None:
    assert at_pace(hum(200.0), speed).duration_s == pytest.approx(2.0 / speed, abs=0.06)


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.25, 2.0])
def test_the_pitch_stays(speed: float) -> None:
    assert pitch_hz(at_pace(hum(200.0), speed)) == pytest.approx(200.0, abs=3.0)


def test_its_own_pace_leaves_the_audio_untouched() -> None:
    audio = hum(200.0)

    assert at_pace(audio, 1.0) is audio


@pytest.mark.parametrize(("asked", "given"), [(0.1, 0.5), (9.0, 2.0)])
def test_a_pace_beyond_what_can_be_understood_is_the_nearest_that_can(asked: float, given: float) -> None:
    np.testing.assert_array_equal(at_pace(hum(200.0), asked).samples, at_pace(hum(200.0), given).samples)


@pytest.mark.parametrize("samples", [0, 1, 100])
def test_hardly_any_sound_is_no_error(samples: int) -> None:
    audio = PcmAudio(samples=np.zeros(samples, np.float32), sample_rate_hz=RATE_HZ)

    assert at_pace(audio, 1.5).duration_s <= audio.duration_s


def test_no_sample_leaves_the_range() -> None:
    square = PcmAudio(samples=np.sign(hum(90.0).samples), sample_rate_hz=RATE_HZ)

    assert np.abs(at_pace(square, 1.3).samples).max() <= 1.0
