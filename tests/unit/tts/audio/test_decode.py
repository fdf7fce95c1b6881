import io

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.audio.decode import DecodeLimits, decode, sniff_container
from tts.errors import BadAudio

RATE_HZ = 16_000
TONE = (0.4 * np.sin(2 * np.pi * 300 * np.arange(2 * RATE_HZ) / RATE_HZ)).astype(np.float32)


def muxed(container: str, codec: str, *, rate_hz: int = RATE_HZ, bitrate_bps: int | None = None) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate_hz, layout="mono")
        if bitrate_bps:
            stream.bit_rate = bitrate_bps
        times = np.arange(2 * rate_hz) / rate_hz
        tone = (0.4 * np.sin(2 * np.pi * 300 * times)).astype(np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate = rate_hz
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def wav(samples: np.ndarray = TONE, *, rate_hz: int = RATE_HZ, subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="WAV", subtype=subtype)
    return file.getvalue()


def written(container: str, subtype: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, TONE, RATE_HZ, format=container, subtype=subtype)
    return file.getvalue()


FILES = {
    "wav": wav,
    "wav float": lambda: wav(subtype="FLOAT"),
    "wav 8 bit": lambda: wav(subtype="PCM_U8"),
    "mp3": lambda: muxed("mp3", "libmp3lame"),
    "flac": lambda: muxed("flac", "flac"),
    "ogg opus": lambda: muxed("ogg", "libopus"),
    "ogg vorbis": lambda: written("OGG", "VORBIS"),
    "m4a": lambda: muxed("ipod", "aac"),
    "aac": lambda: muxed("adts", "aac"),
    "amr": lambda: muxed("amr", "libopencore_amrnb", rate_hz=8_000),
    "3gp": lambda: muxed("3gp", "libopencore_amrnb", rate_hz=8_000),
    "webm": lambda: muxed("webm", "libopus"),
    "aiff": lambda: muxed("aiff", "pcm_s16be"),
    "wma": lambda: muxed("asf", "wmav2", rate_hz=44_100, bitrate_bps=64_000),
}


@pytest.mark.parametrize("name", FILES)
def test_every_common_file_decodes_to_its_tone(name: str) -> None:
    decoded = decode(FILES[name]())

    spectrum = np.abs(np.fft.rfft(decoded.audio.samples))
    heard_hz = int(spectrum.argmax()) / decoded.audio.duration_s
    assert decoded.audio.duration_s == pytest.approx(2.0, abs=0.15)
    assert heard_hz == pytest.approx(300, abs=3)
    assert decoded.audio.samples.dtype == np.float32


def test_stereo_comes_back_as_mono_and_says_so() -> None:
    decoded = decode(wav(np.stack([TONE, TONE], axis=1)))

    assert decoded.channels == 2
    assert decoded.audio.samples.ndim == 1
    assert np.abs(decoded.audio.samples).max() == pytest.approx(0.4, abs=0.01)


def test_the_files_own_rate_is_kept() -> None:
    assert decode(wav(rate_hz=8_000)).audio.sample_rate_hz == 8_000


def test_a_file_over_the_size_limit_is_refused_with_both_sizes() -> None:
    with pytest.raises(BadAudio, match="has 64044 bytes; at most 1000"):
        decode(wav(), limits=DecodeLimits(max_bytes=1_000))


def test_a_small_file_that_unfolds_to_hours_is_refused() -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(RATE_HZ * 60, np.int16), RATE_HZ, format="FLAC")

    assert len(file.getvalue()) < 20_000
    with pytest.raises(BadAudio, match="longer than 30 s"):
        decode(file.getvalue(), limits=DecodeLimits(max_duration_s=30))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"hello, this is no audio", "not an audio file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not an audio file"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "not an audio file"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "not an audio file"),
        (b"OggS" + bytes(500), "cannot be read|no audio stream|no sound"),
        (b"RIFF\x00\x00\x00\x00WAVE", "cannot be read|no audio stream|no sound"),
    ],
)
def test_what_is_no_audio_is_refused_with_the_reason(data: bytes, message: str) -> None:
    with pytest.raises(BadAudio, match=message):
        decode(data)


def test_a_video_without_sound_is_refused() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 16
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))

    with pytest.raises(BadAudio, match="no audio stream"):
        decode(file.getvalue())


def test_a_file_cut_short_gives_what_is_there() -> None:
    data = FILES["ogg opus"]()

    assert 0 < decode(data[: len(data) * 2 // 3]).audio.duration_s < 2.0


@given(
    st.binary(max_size=300),
    st.sampled_from([b"OggS", b"RIFF\x24\x00\x00\x00WAVEfmt ", b"fLaC", b"ID3", b"\xff\xf1", b"#!AMR\n"]),
)
@settings(max_examples=60, deadline=None)
def test_no_bytes_make_it_raise_anything_but_bad_audio(rest: bytes, magic: bytes) -> None:
    try:
        decoded = decode(magic + rest)
    except BadAudio:
        return
    assert np.isfinite(decoded.audio.samples).all()


@pytest.mark.parametrize("name", FILES)
def test_the_container_is_told_by_its_first_bytes(name: str) -> None:
    assert sniff_container(FILES[name]()) is not None
