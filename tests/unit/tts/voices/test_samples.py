import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyloudnorm
import pytest

from tests.speech import container_of, speech, wav
from tts.audio.decode import decode
from tts.audio.loudness import true_peak_db
from tts.audio.pcm import resample
from tts.contract import PcmAudio
from tts.errors import AudioTooLong, BadAudio, BadSample
from tts.voices.samples import (
    PREPARED_RATE_HZ,
    SampleLimits,
    SampleWarning,
    encode_sample,
    inspect_sample,
    prepare_sample,
)
from tts.voices.speech import speech_spans


def noisy(audio: PcmAudio, snr_db: float) -> PcmAudio:
    noise = np.random.default_rng(0).normal(size=len(audio.samples)).astype(np.float32)
    loud = audio.samples[np.abs(audio.samples) > 0.01]
    level = math.sqrt(float(np.mean(loud**2)))
    return replace(audio, samples=0.5 * (audio.samples + noise * level * 10 ** (-snr_db / 20)))


@pytest.mark.parametrize("name", ["wav", "mp3", "flac", "ogg", "m4a"])
def test_every_common_container_is_read(name: str) -> None:
    found = inspect_sample(container_of(speech(rate_hz=48_000), name)).report

    assert found.speech_s > 5.0
    assert found.warnings == ()


def test_amr_is_read_as_the_narrow_band_it_is() -> None:
    assert inspect_sample(container_of(speech(rate_hz=8_000), "amr")).report.warnings == (SampleWarning.NARROWBAND,)


def test_a_telephone_recording_is_accepted_with_a_warning() -> None:
    assert SampleWarning.NARROWBAND in inspect_sample(wav(speech(rate_hz=8_000))).report.warnings


def test_wideband_has_no_such_warning() -> None:
    assert SampleWarning.NARROWBAND not in inspect_sample(wav(speech(rate_hz=16_000))).report.warnings


def test_below_8_khz_is_refused_with_both_rates() -> None:
    with pytest.raises(BadSample, match=r"recorded at 6000 Hz.* 8000 Hz"):
        inspect_sample(wav(speech(rate_hz=6_000)))


def test_stereo_becomes_mono_and_the_report_tells() -> None:
    found = inspect_sample(wav(speech(), channels=2))

    assert found.report.channels == 2
    assert found.audio.samples.ndim == 1


def test_too_little_speech_is_refused_with_what_there_was() -> None:
    two_seconds = replace(speech(), samples=speech(lead_s=2.0).samples[: 4 * 24_000])
    with pytest.raises(BadSample, match=r"[12]\.\d s of speech in 4\.0 s of file; a sample needs 3\.0 s"):
        inspect_sample(wav(two_seconds))


def test_silence_around_speech_does_not_count_as_speech() -> None:
    with pytest.raises(BadSample, match="of speech in 2"):
        inspect_sample(wav(speech(1, lead_s=10.0)), limits=SampleLimits(min_speech_s=4.0))


@pytest.mark.parametrize("frequency_hz", [220.0, 1_000.0])
def test_a_tone_is_no_speech(frequency_hz: float) -> None:
    wave = 0.3 * np.sin(2 * np.pi * frequency_hz * np.arange(24_000 * 8) / 24_000)
    with pytest.raises(BadSample, match=r"0\.0 s of speech"):
        inspect_sample(wav(PcmAudio(samples=wave.astype(np.float32), sample_rate_hz=24_000)))


def test_noise_is_no_speech() -> None:
    noise = 0.1 * np.random.default_rng(1).normal(size=24_000 * 8).astype(np.float32)
    with pytest.raises(BadSample, match=r"0\.0 s of speech"):
        inspect_sample(wav(PcmAudio(samples=noise, sample_rate_hz=24_000)))


def test_more_than_a_minute_of_file_is_refused() -> None:
    with pytest.raises(AudioTooLong, match="60 s"):
        inspect_sample(wav(speech(2, lead_s=28.0, rate_hz=8_000)))


def test_more_than_15_mb_are_refused_before_anything_is_read() -> None:
    with pytest.raises(AudioTooLong, match=r"16\.0 MB; a sample has at most 15 MB"):
        inspect_sample(b"RIFF" + bytes(16_000_000))


def test_a_small_file_that_unfolds_to_hours_is_refused() -> None:
    silence = PcmAudio(samples=np.zeros(8_000 * 3_600, np.float32), sample_rate_hz=8_000)
    packed = container_of(silence, "flac")
    assert len(packed) < 1_000_000

    with pytest.raises(AudioTooLong):
        inspect_sample(packed)


@pytest.mark.parametrize("data", [b"", b"hello", b"\x1a\x45\xdf\xa3" + bytes(100), b"RIFF....WAVEfmt "])
def test_what_is_no_sample_file_is_refused(data: bytes) -> None:
    with pytest.raises(BadAudio):
        inspect_sample(data)


def test_a_file_of_another_kind_is_told_what_is_read() -> None:
    with pytest.raises(BadAudio, match="WAV, MP3, FLAC, OGG, M4A, AMR"):
        inspect_sample(b"%PDF-1.7")


def test_a_header_with_an_absurd_rate_is_refused() -> None:
    data = bytearray(wav(speech()))
    data[24:28] = (3_000_000_000).to_bytes(4, "little")

    with pytest.raises(BadAudio):
        inspect_sample(bytes(data))


def test_clipping_is_refused_with_its_share() -> None:
    with pytest.raises(BadSample, match=r"clipped: \d+\.\d % .* at most 1 %"):
        inspect_sample(wav(replace(speech(), samples=speech().samples * 40)))


def test_noise_nearly_as_loud_as_speech_is_refused() -> None:
    with pytest.raises(BadSample, match="noise: the speech is only"):
        inspect_sample(wav(noisy(speech(pause_s=1.0), 3)))


def test_some_noise_is_a_warning() -> None:
    assert inspect_sample(wav(noisy(speech(pause_s=1.0), 15))).report.warnings == (SampleWarning.NOISY,)


def prepared(audio: PcmAudio) -> PcmAudio:
    return prepare_sample(inspect_sample(wav(audio)))


@pytest.mark.parametrize("gain", [0.05, 1.0, 3.0])
def test_prepared_speech_has_the_loudness_of_a_reference(gain: float) -> None:
    peak = np.abs(speech().samples).max()
    audio = prepared(replace(speech(), samples=speech().samples * gain * 0.3 / peak))

    loudness = pyloudnorm.Meter(audio.sample_rate_hz).integrated_loudness(audio.samples.astype(np.float64))
    assert loudness == pytest.approx(-19, abs=0.6)
    assert true_peak_db(audio) <= -1.4


def test_a_rare_peak_is_held_and_not_clipped() -> None:
    samples = speech().samples * 0.1
    samples[30_000] = 0.9

    assert true_peak_db(prepared(replace(speech(), samples=samples))) <= -1.4


def test_prepared_audio_has_one_rate_whatever_came() -> None:
    assert prepared(speech(rate_hz=44_100)).sample_rate_hz == PREPARED_RATE_HZ


def test_silence_at_the_ends_goes() -> None:
    assert prepared(speech(2, lead_s=5.0)).duration_s < speech(2, lead_s=0.3).duration_s


def test_long_pauses_become_short_ones_without_losing_speech() -> None:
    long = prepared(speech(3, pause_s=4.0))
    spans = speech_spans(long)

    assert all(right.start_s - left.end_s < 0.6 for left, right in pairwise(spans))
    assert sum(span.duration_s for span in spans) == pytest.approx(
        sum(span.duration_s for span in speech_spans(speech(3, pause_s=4.0))), rel=0.05
    )


def test_what_is_kept_is_heard_again_unchanged() -> None:
    audio = prepared(speech())
    kept = decode(encode_sample(audio)).audio

    assert kept.sample_rate_hz == audio.sample_rate_hz
    assert np.abs(kept.samples - audio.samples).max() < 2 / 32_768


def test_the_same_recording_is_kept_as_the_same_bytes() -> None:
    assert encode_sample(prepared(speech())) == encode_sample(prepared(speech()))


def test_a_resampled_tone_does_not_alias() -> None:
    tone = 0.2 * np.sin(2 * np.pi * 20_000 * np.arange(48_000) / 48_000).astype(np.float32)
    audio = resample(PcmAudio(samples=tone, sample_rate_hz=48_000), PREPARED_RATE_HZ)

    assert np.sqrt(np.mean(audio.samples[2_000:-2_000] ** 2)) < 1e-3
