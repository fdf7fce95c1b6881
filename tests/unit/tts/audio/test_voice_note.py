import io

import av
import numpy as np
import pytest
import soundfile

from tts.audio.opus import OpusChoices, encode_voice_note
from tts.audio.voice_note import validate_voice_note
from tts.contract import PcmAudio
from tts.errors import BadAudio

LIMIT_BYTES = 512_000


def note(seconds: float = 3.0) -> bytes:
    samples = np.random.default_rng(3).normal(0, 0.1, round(seconds * 16_000)).astype(np.float32)
    return encode_voice_note(PcmAudio(samples=samples, sample_rate_hz=16_000), OpusChoices())


def stereo_opus() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 96_000), np.float32), format="flt", layout="stereo")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def test_a_proper_note_tells_its_facts() -> None:
    data = note()

    facts = validate_voice_note(data, max_bytes=LIMIT_BYTES)

    assert facts.duration_s == pytest.approx(3.0, abs=0.001)
    assert facts.size_bytes == len(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"ID3" + bytes(100), "not an Ogg file"),
        (b"", "no Ogg stream|more than one"),
        (b"OggS", "ends inside an Ogg page"),
    ],
)
def test_what_is_no_ogg_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(BadAudio, match=message):
        validate_voice_note(data, max_bytes=LIMIT_BYTES)


def test_ogg_without_opus_is_refused() -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(48_000, np.float32), 48_000, format="OGG", subtype="VORBIS")

    with pytest.raises(BadAudio, match="not Opus"):
        validate_voice_note(file.getvalue(), max_bytes=LIMIT_BYTES)


def test_stereo_is_refused() -> None:
    with pytest.raises(BadAudio, match="2 channels"):
        validate_voice_note(stereo_opus(), max_bytes=LIMIT_BYTES)


def test_two_files_one_behind_the_other_are_refused() -> None:
    with pytest.raises(BadAudio, match=r"more than one Ogg stream|pages are missing"):
        validate_voice_note(note(1) + note(2), max_bytes=LIMIT_BYTES)


def test_a_note_cut_in_a_page_is_refused() -> None:
    with pytest.raises(BadAudio, match="ends inside"):
        validate_voice_note(note()[:-10], max_bytes=LIMIT_BYTES)


def test_a_note_without_its_last_page_is_refused() -> None:
    data = note()

    with pytest.raises(BadAudio, match="no end"):
        validate_voice_note(data[: data.rindex(b"OggS")], max_bytes=LIMIT_BYTES)


def test_a_note_with_a_page_missing_inside_is_refused() -> None:
    data = note(6)
    starts = [at for at in range(len(data)) if data.startswith(b"OggS", at)]

    with pytest.raises(BadAudio, match="pages are missing"):
        validate_voice_note(data[: starts[3]] + data[starts[4] :], max_bytes=LIMIT_BYTES)


def test_a_note_that_lies_about_its_length_is_refused() -> None:
    data = bytearray(note())
    last = bytes(data).rindex(b"OggS")
    data[last + 6 : last + 14] = (9_000_000).to_bytes(8, "little")

    with pytest.raises(BadAudio, match="states"):
        validate_voice_note(bytes(data), max_bytes=LIMIT_BYTES)


def test_a_note_over_the_limit_is_refused() -> None:
    with pytest.raises(BadAudio, match="no voice note"):
        validate_voice_note(note(), max_bytes=100)
