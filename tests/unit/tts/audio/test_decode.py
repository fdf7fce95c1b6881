import io
import resource
import struct
from collections.abc import Callable, Generator
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tts.audio import decode as decoding
from tts.audio.decode import DecodeLimits, decode, decode_ours, sniff_container
from tts.audio.unpack import Order, _limit_this_process
from tts.errors import AudioTooLong, BadAudio

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


@pytest.mark.parametrize("name", FILES)
def test_what_is_ours_is_decoded_to_the_same_without_another_process(name: str) -> None:
    ours, apart = decode_ours(FILES[name]()), decode(FILES[name]())

    assert np.array_equal(ours.audio.samples, apart.audio.samples)
    assert (ours.codec, ours.stated_s, ours.packets) == (apart.codec, apart.stated_s, apart.packets)


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


# -- hostile files ----------------------------------------------------------------------------------------------------


def many(container: str, channels: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.repeat(TONE[:, None], channels, axis=1), RATE_HZ, format=container)
    return file.getvalue()


def opus(layout: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as output:
        stream = output.add_stream("libopus", rate=48_000, layout=layout)
        channels = stream.codec_context.layout.nb_channels
        frame = av.AudioFrame.from_ndarray(
            np.repeat(TONE, channels).reshape(1, -1).astype(np.float32), format="flt", layout=layout
        )
        frame.sample_rate = 48_000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def aiff(labels: tuple[int, ...]) -> bytes:
    """A second of AIFF whose channels are given by their labels in a CHAN chunk (1 is left, 2 is right)."""
    common = struct.pack(">hIh", len(labels), RATE_HZ, 16) + bytes.fromhex("400cfa00000000000000")
    layout = struct.pack(">III", 0, 0, len(labels)) + b"".join(struct.pack(">I16x", label) for label in labels)
    sound = bytes(8) + b"\x10\x00" * len(labels) * RATE_HZ
    chunks = [(b"COMM", common), (b"CHAN", layout), (b"SSND", sound)]
    body = b"AIFF" + b"".join(name + struct.pack(">I", len(data)) + data for name, data in chunks)
    return b"FORM" + struct.pack(">I", len(body)) + body


def patched(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


@pytest.mark.parametrize(
    "file", [lambda: many("WAV", 8), lambda: many("FLAC", 8), lambda: opus("7.1"), lambda: many("AIFF", 8)]
)
def test_eight_channels_are_mixed_and_break_nothing(file: Callable[[], bytes]) -> None:
    decoded = decode(file())

    assert decoded.channels == 8
    assert np.abs(decoded.audio.samples).max() == pytest.approx(0.4, abs=0.1)


@pytest.mark.parametrize("channels", [9, 32, 255])
@pytest.mark.parametrize("container", ["WAV", "AIFF", "CAF"])
def test_more_than_eight_channels_are_refused_with_their_number(container: str, channels: int) -> None:
    with pytest.raises(BadAudio, match=f"has {channels} channels; at most 8"):
        decode(many(container, channels), limits=DecodeLimits(max_bytes=32_000_000))


def test_a_file_that_kills_the_decoder_is_refused_and_the_next_one_is_read() -> None:
    """PyAV frees a layout of a file's own twice: right before left is such a layout."""
    assert decode(aiff((1, 2))).channels == 2
    with pytest.raises(BadAudio, match="the decoder broke on it"):
        decode(aiff((2, 1)))
    assert decode(wav()).channels == 1


def test_a_decoder_that_does_not_end_is_ended_and_its_end_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_PATIENCE_S", 0.0)

    with capture_logs() as logs, pytest.raises(BadAudio, match="the decoder broke on it"):
        decode(wav())
    (died,) = logs
    assert (died["event"], died["container"], died["return_code"]) == ("decoder_died", "wav", -9)


def test_the_decoder_is_gone_by_the_time_its_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Generator[tuple[bytes, bytes], None, None]] = []
    unpacked = decoding._unpacked_apart

    def kept_alive(data: bytes, order: Order) -> Generator[tuple[bytes, bytes], None, None]:
        kept.append(unpacked(data, order))
        return kept[0]

    monkeypatch.setattr(decoding, "_unpacked_apart", kept_alive)

    with pytest.raises(AudioTooLong):
        decode(wav(), limits=DecodeLimits(max_samples=10_000))
    assert kept[0].gi_frame is None  # it ended, and with it what it had started


def test_a_limit_that_the_system_does_not_know_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    bounded = []

    def as_on_macos(what: int, _limits: tuple[int, int]) -> None:
        if what == resource.RLIMIT_AS:
            raise ValueError("current limit exceeds maximum limit")
        bounded.append(what)

    monkeypatch.setattr(resource, "setrlimit", as_on_macos)

    _limit_this_process()

    assert bounded == [resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE]


def test_the_process_that_reads_files_of_strangers_sees_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = tmp_path / "tells_its_environment.py"
    told.write_text(
        "import json, os, struct, sys\n"
        "sys.stdin.buffer.read()\n"
        "answer = json.dumps({'why': ' '.join(os.environ.values()), 'too_long': False}).encode()\n"
        "sys.stdout.buffer.write(struct.pack('<cI', b'R', len(answer)) + answer)\n"
    )
    monkeypatch.setattr(decoding.unpack, "__file__", str(told))
    monkeypatch.setenv("WHATSAPP_ACCESS_TOKEN", "EAAsecret")

    with pytest.raises(BadAudio) as refused:
        decode(wav())
    assert "EAAsecret" not in str(refused.value)


@pytest.mark.parametrize(
    "answer", [b"", b"P", b"P\4\0\0\0\0\0\0\0", b"H\2\0\0\0{}", b"P\xff\xff\xff\xff", b"X\0\0\0\0"]
)
def test_an_answer_that_is_none_is_an_unreadable_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: bytes
) -> None:
    odd = tmp_path / "answers_oddly.py"
    odd.write_text(f"import sys\nsys.stdout.buffer.write({answer!r})\n")
    monkeypatch.setattr(decoding.unpack, "__file__", str(odd))

    with pytest.raises(BadAudio, match="the decoder broke on it"):
        decode(wav())


@pytest.mark.parametrize("rate_hz", [0, 1, 200_000, 3_000_000_000])
def test_an_absurd_sample_rate_is_refused(rate_hz: int) -> None:
    with pytest.raises(BadAudio):
        decode(patched(wav(), 24, rate_hz.to_bytes(4, "little")))


def test_a_file_of_no_channels_is_refused() -> None:
    with pytest.raises(BadAudio):
        decode(patched(wav(), 22, b"\0\0"))


def test_a_header_that_promises_years_unfolds_to_what_is_there() -> None:
    promising = bytearray(written("FLAC", "PCM_16"))
    promising[21] |= 0x0F
    promising[22:26] = b"\xff" * 4

    decoded = decode(bytes(promising))

    assert decoded.audio.duration_s == pytest.approx(2.0, abs=0.01)
    assert decoded.stated_s is not None
    assert decoded.stated_s > 86_400 * 30


def test_more_samples_than_memory_is_meant_for_are_refused() -> None:
    with pytest.raises(AudioTooLong, match=r"more than 0\.01 million samples"):
        decode(wav(), limits=DecodeLimits(max_samples=10_000))


def test_other_channels_in_the_middle_of_a_stream_are_refused() -> None:
    with pytest.raises(BadAudio):
        decode(opus("stereo") + opus("7.1"))


def test_a_format_that_is_not_on_the_list_is_refused() -> None:
    with pytest.raises(BadAudio, match="no format that is read here"):
        decode(muxed("matroska", "wavpack"))


def test_the_sound_beside_a_picture_is_read() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        video, audio = output.add_stream("mpeg4", rate=10), output.add_stream("aac", rate=RATE_HZ, layout="mono")
        video.width = video.height = 16
        picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        sound = av.AudioFrame.from_ndarray(TONE.reshape(1, -1), format="fltp", layout="mono")
        sound.sample_rate = RATE_HZ
        for stream, frame in ((video, picture), (audio, sound)):
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))

    assert decode(file.getvalue()).audio.duration_s == pytest.approx(2.0, abs=0.15)


def test_channels_that_cancel_each_other_are_told() -> None:
    assert decode(wav(np.stack([TONE, -TONE], axis=1))).mix_loss_db > 40
    assert decode(wav(np.stack([TONE, TONE], axis=1))).mix_loss_db == pytest.approx(0, abs=0.1)
    assert decode(wav(np.stack([TONE, 0 * TONE], axis=1))).mix_loss_db == pytest.approx(3, abs=0.1)


@given(
    st.binary(max_size=300),
    st.sampled_from([b"OggS", b"RIFF\x24\x00\x00\x00WAVEfmt ", b"fLaC", b"ID3", b"\xff\xf1", b"#!AMR\n"]),
)
@settings(max_examples=40, deadline=None)
def test_no_bytes_make_it_raise_anything_but_bad_audio(rest: bytes, magic: bytes) -> None:
    try:
        decoded = decode(magic + rest)
    except BadAudio:
        return
    assert np.isfinite(decoded.audio.samples).all()


@pytest.mark.parametrize("name", FILES)
def test_the_container_is_told_by_its_first_bytes(name: str) -> None:
    assert sniff_container(FILES[name]()) is not None
