import numpy as np
import pytest

from tts.audio.loudness import level_speech, speech_level_db, true_peak_db
from tts.audio.pcm import FLOOR_DB
from tts.contract import PcmAudio

RATE_HZ = 24_000


def speechlike(amplitude: float, *, pause_s: float = 0.0) -> PcmAudio:
    random = np.random.default_rng(1)
    bursts = [random.normal(0, amplitude, RATE_HZ // 4), np.zeros(round(pause_s * RATE_HZ))] * 6
    return PcmAudio(samples=np.concatenate(bursts).astype(np.float32), sample_rate_hz=RATE_HZ)


def test_pauses_do_not_lower_the_speech_level() -> None:
    assert speech_level_db(speechlike(0.1, pause_s=1.0)) == pytest.approx(speech_level_db(speechlike(0.1)), abs=0.5)


@pytest.mark.parametrize("amplitude", [0.005, 0.05, 0.3])
def test_quiet_and_loud_speech_come_out_equally_loud(amplitude: float) -> None:
    assert speech_level_db(level_speech(speechlike(amplitude), target_db=-20)) == pytest.approx(-20, abs=0.5)


def test_a_lone_peak_is_held_at_the_ceiling() -> None:
    samples = speechlike(0.02).samples.copy()
    samples[20_000] = 0.9

    levelled = level_speech(PcmAudio(samples=samples, sample_rate_hz=RATE_HZ), target_db=-16, peak_db=-1.5)

    assert true_peak_db(levelled) <= -1.5 + 0.05


def test_peaks_between_the_samples_are_held_too() -> None:
    # A quarter-rate sine sampled off its tops: the samples stay 3 dB below the wave they draw.
    samples = (0.9 * np.sin(2 * np.pi * np.arange(RATE_HZ) / 4 + np.pi / 4)).astype(np.float32)

    levelled = level_speech(PcmAudio(samples=samples, sample_rate_hz=RATE_HZ), target_db=-2, peak_db=-1.5)

    assert np.abs(samples).max() < 0.65
    assert true_peak_db(levelled) <= -1.5 + 0.05


def test_what_is_far_from_a_peak_is_not_turned_down() -> None:
    samples = speechlike(0.02).samples.copy()
    samples[20_000] = 0.9
    with_peak = level_speech(PcmAudio(samples=samples, sample_rate_hz=RATE_HZ))
    gain = with_peak.samples[:10_000] / np.where(samples[:10_000] == 0, 1, samples[:10_000])

    assert np.ptp(gain) < 1e-3


@pytest.mark.parametrize("length", [0, 10, RATE_HZ])
def test_silence_stays_silence(length: int) -> None:
    audio = PcmAudio(samples=np.zeros(length, np.float32), sample_rate_hz=RATE_HZ)

    assert speech_level_db(audio) == FLOOR_DB
    assert true_peak_db(audio) == FLOOR_DB
    assert not level_speech(audio).samples.any()
