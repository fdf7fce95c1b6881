import io
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pyloudnorm
import pytest
import soundfile

from tests.speech import container_of, speech, wav
from tts.audio.decode import decode
from tts.audio.loudness import true_peak_db
from tts.audio.pcm import resample
from tts.contract import PcmAudio
from tts.errors import AudioTooLong, BadAudio, BadSample
from tts.voices import samples
from tts.voices.samples import (
    PREPARED_RATE_HZ,
    SampleLimits,
    SampleWarning,
    encode_sample,
    inspect_sample,
    prepare_sample,
)
from tts.voices.speech import Span, speech_spans


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


def test_a_rate_too_low_for_any_filter_is_refused_as_any_other_low_rate() -> None:
    slow = PcmAudio(samples=0.1 * np.ones(400, np.float32), sample_rate_hz=100)
    with pytest.raises(BadSample, match=r"recorded at 100 Hz.* 8000 Hz"):
        inspect_sample(wav(slow))


def test_stereo_becomes_mono_and_the_report_tells() -> None:
    found = inspect_sample(wav(speech(), channels=2))

    assert found.report.channels == 2
    assert found.audio.samples.ndim == 1


def test_too_little_speech_is_refused_with_what_there_was() -> None:
    two_seconds = replace(speech(), samples=speech(lead_s=2.0).samples[: 4 * 24_000])
    with pytest.raises(BadSample, match=r"[12]\.\d s of speech in 4\.0 s of file; a sample needs 3\.0 s"):
        inspect_sample(wav(two_seconds))


def test_2_9_s_of_speech_are_refused_and_3_s_are_taken() -> None:
    """Without a pause, so that the length of the file decides."""
    first = speech(3, lead_s=0.3, pause_s=0.3).samples
    quiet = np.zeros(12_000, np.float32)

    def cut_at(end_s: float) -> bytes:
        samples = np.concatenate([first[: round(end_s * 24_000)], quiet])
        return wav(PcmAudio(samples=samples, sample_rate_hz=24_000))

    with pytest.raises(BadSample, match=r"2\.[89] s of speech in 3\.7 s of file; a sample needs 3\.0 s"):
        inspect_sample(cut_at(3.22))
    assert inspect_sample(cut_at(3.4)).report.speech_s == pytest.approx(3.1, abs=0.1)


@pytest.mark.parametrize(("heard_s", "told"), [(2.9, "2.9 s"), (2.999, "2.9 s")])
def test_speech_a_little_too_short_is_never_told_as_long_enough(
    monkeypatch: pytest.MonkeyPatch, heard_s: float, told: str
) -> None:
    monkeypatch.setattr(samples, "speech_spans", lambda _audio: (Span(0.5, 0.5 + heard_s),))

    with pytest.raises(BadSample, match=rf"{told} of speech .* needs 3\.0 s"):
        inspect_sample(wav(speech()))


def test_3_s_of_speech_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "speech_spans", lambda _audio: (Span(0.5, 3.5),))

    assert inspect_sample(wav(speech()), limits=SampleLimits(min_snr_db=0.0)).report.speech_s == 3.0


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


def test_more_than_a_minute_of_file_is_refused_with_its_length_and_the_cure() -> None:
    with pytest.raises(AudioTooLong, match=r"longer than 60 s \(it says 6\d\.\d s\): cut it to the best part"):
        inspect_sample(wav(speech(2, lead_s=28.0, rate_hz=8_000)))


def test_more_than_15_mb_are_refused_before_anything_is_read() -> None:
    with pytest.raises(AudioTooLong, match=r"16\.0 MB; a sample has at most 15 MB: cut it"):
        inspect_sample(b"RIFF" + bytes(16_000_000))


# -- cut files --------------------------------------------------------------------------------------------------------


def streamed_m4a(folder: Path) -> bytes:
    """An M4A with its index in front, as for streaming: the other kind cannot be read at all once it is cut."""
    with av.open(folder / "a.m4a", "w", format="ipod", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("aac", rate=24_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(speech(4).samples.reshape(1, -1), format="fltp", layout="mono")
        frame.sample_rate = 24_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return (folder / "a.m4a").read_bytes()


def whole_file(name: str, folder: Path) -> bytes:
    if name == "streamed m4a":
        return streamed_m4a(folder)
    if name == "vorbis":
        file = io.BytesIO()
        soundfile.write(file, speech(4).samples, 24_000, format="OGG", subtype="VORBIS")
        return file.getvalue()
    return container_of(speech(4, rate_hz={"amr": 8_000, "ogg": 48_000}.get(name, 24_000)), name)


@pytest.mark.parametrize("part", [0.5, 0.75, 0.95])
@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "ogg", "vorbis", "streamed m4a", "amr"])
def test_a_file_cut_short_is_refused_though_enough_speech_is_left(name: str, part: float, tmp_path: Path) -> None:
    whole = whole_file(name, tmp_path)
    assert inspect_sample(whole).report.speech_s > 8
    cut = whole[: int(len(whole) * part)]
    assert decode(cut).audio.duration_s > 5

    with pytest.raises(BadSample, match=r"cut short: .* send the whole file"):
        inspect_sample(cut)


@pytest.mark.parametrize("name", ["wav", "flac", "mp3"])
def test_a_header_that_states_the_length_tells_how_much_is_there(name: str, tmp_path: Path) -> None:
    whole = whole_file(name, tmp_path)

    with pytest.raises(BadSample, match=r"cut short: [67]\.\d s of 14\.\d s are there"):
        inspect_sample(whole[: len(whole) // 2])


def test_an_m4a_cut_before_its_index_is_refused(tmp_path: Path) -> None:
    whole = whole_file("m4a", tmp_path)

    with pytest.raises(BadAudio, match="damaged or cut short"):
        inspect_sample(whole[: len(whole) // 2])


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_recorder_that_could_not_know_the_length_is_believed(size: int) -> None:
    whole = bytearray(wav(speech()))
    whole[40:44] = size.to_bytes(4, "little")

    assert inspect_sample(bytes(whole)).report.speech_s > 5


def test_a_file_with_holes_is_refused_with_their_number(tmp_path: Path) -> None:
    holed = bytearray(whole_file("flac", tmp_path))
    for at in range(8_000, len(holed) - 8_000, 12_000):
        holed[at : at + 40] = bytes(40)

    with pytest.raises(BadSample, match=r"cut short|damaged: \d+ of \d+ parts cannot be decoded"):
        inspect_sample(bytes(holed))


def test_channels_that_cancel_each_other_are_refused_in_these_words() -> None:
    file = io.BytesIO()
    left = speech().samples
    soundfile.write(file, np.stack([left, -left], axis=1), 24_000, format="WAV")

    with pytest.raises(BadSample, match=r"the channels cancel each other: .* send one channel alone"):
        inspect_sample(file.getvalue())


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


def assert_measured_alike(disturbed: PcmAudio) -> None:
    plain, found = inspect_sample(wav(room())), inspect_sample(wav(disturbed))

    assert found.report.speech_s == pytest.approx(plain.report.speech_s, abs=0.15)
    assert found.report.level_dbfs == pytest.approx(plain.report.level_dbfs, abs=0.3)
    assert found.report.noise_dbfs == pytest.approx(plain.report.noise_dbfs, abs=1.0)
    assert found.report.warnings == plain.report.warnings == ()
    loudness = [
        pyloudnorm.Meter(audio.sample_rate_hz).integrated_loudness(audio.samples.astype(np.float64))
        for audio in (prepare_sample(plain), prepare_sample(found))
    ]
    assert loudness[0] == pytest.approx(loudness[1], abs=0.3)


def room() -> PcmAudio:
    """Speech that leaves space for an offset, in a quiet room."""
    plain = speech(pause_s=1.0)
    noise = np.random.default_rng(2).normal(0, 0.001, len(plain.samples)).astype(np.float32)
    return replace(plain, samples=plain.samples * np.float32(0.35 / np.abs(plain.samples).max()) + noise)


@pytest.mark.parametrize("offset", [0.01, 0.1, 0.3, -0.6, 0.6])
def test_a_constant_offset_changes_nothing_that_is_measured(offset: float) -> None:
    assert_measured_alike(replace(room(), samples=room().samples + np.float32(offset)))


@pytest.mark.parametrize("frequency_hz", [5.0, 20.0, 38.0])
def test_rumble_under_40_hz_changes_nothing_that_is_measured(frequency_hz: float) -> None:
    quiet = room()
    rumble = 0.03 * np.sin(2 * np.pi * frequency_hz * np.arange(len(quiet.samples)) / quiet.sample_rate_hz)

    assert_measured_alike(replace(quiet, samples=quiet.samples + rumble.astype(np.float32)))


def test_an_offset_is_not_kept_in_the_prepared_sample() -> None:
    audio = prepared(replace(room(), samples=room().samples + np.float32(0.3)))

    assert abs(float(np.mean(audio.samples))) < 1e-4


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
    quiet = speech().samples * 0.1
    quiet[30_000] = 0.9

    assert true_peak_db(prepared(replace(speech(), samples=quiet))) <= -1.4


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
