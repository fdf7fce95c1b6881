import io

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from tts.contract import PcmAudio
from tts.engines.fake import tone
from tts.engines.remote.answers import audio_of
from tts.engines.remote.wav import read_wav
from tts.errors import EngineFailed

AUDIO = tone("This was meant to be heard.", seconds=2.0)
FORMATS = {
    "wav": {"format": "WAV"},
    "flac": {"format": "FLAC"},
    "mp3": {"format": "MP3"},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "vorbis": {"format": "OGG", "subtype": "VORBIS"},
}
KNOWN_END = {"content-length": "1"}


def file_of(audio: PcmAudio, **kind: str) -> bytes:
    file = io.BytesIO()
    sf.write(file, audio.samples, audio.sample_rate_hz, **kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_whole_file_is_heard_to_its_end(kind: str) -> None:
    audio = audio_of(file_of(AUDIO, **FORMATS[kind]), KNOWN_END, server="s")

    assert audio.duration_s == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("tenths", [1, 3, 5, 7, 8])
def test_the_beginning_of_a_file_never_passes_for_the_whole(kind: str, tenths: int) -> None:
    data = file_of(AUDIO, **FORMATS[kind])

    with pytest.raises(EngineFailed):
        audio_of(data[: len(data) * tenths // 10], KNOWN_END, server="s")


@pytest.mark.parametrize("kind", ["opus", "vorbis"])
def test_an_ogg_file_that_breaks_off_between_two_pages_is_not_whole(kind: str) -> None:
    long = tone("This was meant to be heard for longer.", seconds=10.0)
    data = file_of(long, **FORMATS[kind])

    with pytest.raises(EngineFailed, match="last page"):
        audio_of(data[: data.rfind(b"OggS")], KNOWN_END, server="s")


@pytest.mark.parametrize("missing", [1, 20, 71])
def test_an_mp3_stream_that_states_no_length_is_not_whole_where_it_ends_inside_a_frame(missing: int) -> None:
    data = file_of(AUDIO, format="MP3")
    assert b"Xing" in data[:192]
    stream = data[192:]  # without the frame that counts the others
    assert audio_of(stream, KNOWN_END, server="s").duration_s == pytest.approx(2.0, abs=0.1)

    with pytest.raises(EngineFailed, match="only the beginning"):
        audio_of(stream[:-missing], KNOWN_END, server="s")


def test_an_mp3_file_may_begin_and_end_with_tags() -> None:
    title = b"ID3\x04\x00\x00\x00\x00\x01\x00" + bytes(128)

    audio = audio_of(title + file_of(AUDIO, format="MP3") + b"TAG" + bytes(125), KNOWN_END, server="s")

    assert audio.duration_s == pytest.approx(2.0, abs=0.1)


@given(
    st.lists(st.integers(-32768, 32767), min_size=1, max_size=50),
    st.sampled_from([8_000, 16_000, 24_000, 44_100, 48_000]),
)
def test_a_wav_file_is_read_as_it_was_written(samples: list[int], rate_hz: int) -> None:
    file = io.BytesIO()
    sf.write(file, np.array(samples, dtype=np.int16), rate_hz, format="WAV", subtype="PCM_16")

    audio = read_wav(file.getvalue())

    assert audio is not None
    assert audio.sample_rate_hz == rate_hz
    assert np.array_equal(audio.samples * 32768, samples)


def test_a_wav_file_written_before_its_end_was_known_is_read_to_where_it_ends() -> None:
    data = bytearray(file_of(AUDIO, format="WAV", subtype="PCM_16"))
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"

    assert audio_of(bytes(data), KNOWN_END, server="s").duration_s == pytest.approx(2.0)


@pytest.mark.parametrize("subtype", ["PCM_24", "FLOAT", "ULAW"])
def test_other_wav_files_are_left_to_the_decoder(subtype: str) -> None:
    data = file_of(AUDIO, format="WAV", subtype=subtype)

    assert read_wav(data) is None
    assert audio_of(data, KNOWN_END, server="s").duration_s == pytest.approx(2.0)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading_of_wav_files(rest: bytes) -> None:
    read_wav(b"RIFF" + rest)
    read_wav(b"RIFF\x00\x00\x00\x00WAVEfmt " + rest)
