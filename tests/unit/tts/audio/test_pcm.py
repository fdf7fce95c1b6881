import numpy as np
import pytest

from tts.audio.pcm import FLOOR_DB, fade_edges, frame_levels_db, join, level_db, resample, trim_edges
from tts.contract import PcmAudio

RATE_HZ = 16_000


def sine(seconds: float, *, amplitude: float = 0.5, hz: float = 200.0) -> PcmAudio:
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return PcmAudio(samples=(amplitude * np.sin(2 * np.pi * hz * times)).astype(np.float32), sample_rate_hz=RATE_HZ)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


def test_a_full_scale_square_wave_has_a_level_of_zero_db() -> None:
    assert level_db(np.array([1.0, -1.0] * 100, np.float32)) == pytest.approx(0.0)


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros(100, np.float32)])
def test_nothing_and_silence_have_the_floor_level(samples: np.ndarray) -> None:
    assert level_db(samples) == FLOOR_DB


def test_frame_levels_tell_where_the_sound_is() -> None:
    audio = PcmAudio(samples=np.concatenate([silence(0.1), sine(0.1).samples]), sample_rate_hz=RATE_HZ)

    levels = frame_levels_db(audio)

    assert len(levels) == 20
    assert (levels[:10] == FLOOR_DB).all()
    assert (levels[10:] > -12).all()


def test_resampling_keeps_duration_and_pitch() -> None:
    audio = resample(sine(1.0, hz=440.0), 24_000)

    spectrum = np.abs(np.fft.rfft(audio.samples))
    assert audio.sample_rate_hz == 24_000
    assert audio.duration_s == pytest.approx(1.0, abs=0.001)
    assert int(spectrum.argmax()) == 440


def test_resampling_to_the_same_rate_is_the_same_audio() -> None:
    audio = sine(0.1)

    assert resample(audio, RATE_HZ) is audio


def test_resampling_down_removes_what_would_alias() -> None:
    audio = resample(
        PcmAudio(
            samples=np.sin(2 * np.pi * 9_000 * np.arange(24_000) / 24_000).astype(np.float32), sample_rate_hz=24_000
        ),
        16_000,
    )

    assert level_db(audio.samples[1000:-1000]) < -50


def test_trimming_keeps_the_sound_and_a_little_silence() -> None:
    audio = PcmAudio(samples=np.concatenate([silence(0.5), sine(1.0).samples, silence(0.7)]), sample_rate_hz=RATE_HZ)

    assert trim_edges(audio, keep_ms=40).duration_s == pytest.approx(1.08, abs=0.02)


def test_trimming_leaves_all_silent_audio_as_it_is() -> None:
    audio = PcmAudio(samples=silence(0.5), sample_rate_hz=RATE_HZ)

    assert trim_edges(audio) is audio


def test_faded_edges_begin_and_end_near_zero_and_keep_the_middle() -> None:
    audio = PcmAudio(samples=np.full(1600, 0.5, np.float32), sample_rate_hz=RATE_HZ)

    faded = fade_edges(audio, fade_ms=8).samples

    assert abs(faded[0]) < 0.001
    assert abs(faded[-1]) < 0.001
    assert (faded[200:-200] == 0.5).all()


def test_fading_does_not_change_the_audio_it_was_given() -> None:
    audio = PcmAudio(samples=np.full(1600, 0.5, np.float32), sample_rate_hz=RATE_HZ)

    fade_edges(audio)

    assert (audio.samples == 0.5).all()


def test_joined_segments_have_the_pauses_between_them_and_none_at_the_end() -> None:
    joined = join([sine(1.0), sine(0.5)], [300, 700])

    assert joined.duration_s == pytest.approx(1.8)
    assert (joined.samples[RATE_HZ : round(1.3 * RATE_HZ)] == 0).all()


def test_segments_of_different_rates_do_not_join() -> None:
    other = PcmAudio(samples=np.zeros(10, np.float32), sample_rate_hz=8_000)

    with pytest.raises(ValueError, match="cannot join"):
        join([sine(0.1), other], [0, 0])
