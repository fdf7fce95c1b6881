import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tts.audio.decode import Decoded
from tts.audio.wholeness import what_is_missing
from tts.contract import PcmAudio

SECOND = PcmAudio(samples=np.zeros(8_000, np.float32), sample_rate_hz=8_000)
BEGINNINGS = {
    "wav": b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0",
    "ogg": b"OggS\0\0",
    "mov": b"\0\0\0\x18ftypM4A ",
    "mp3": b"ID3\4\0\0\x7f\x7f\x7f\x7f",
}


def decoded(container: str, **facts: object) -> Decoded:
    return Decoded(audio=SECOND, container=container, codec="any", channels=1, **facts)  # type: ignore[arg-type]


@given(st.sampled_from(sorted(BEGINNINGS)), st.binary(max_size=200))
def test_no_bytes_make_it_raise(container: str, rest: bytes) -> None:
    what_is_missing(BEGINNINGS[container] + rest, decoded(container))


def test_one_damaged_part_of_many_is_forgiven_and_two_in_a_hundred_are_not() -> None:
    assert what_is_missing(b"", decoded("mp3", packets=300, lost=1)) == ""
    assert what_is_missing(b"", decoded("mp3", packets=100, lost=2)) == "damaged: 2 of 100 parts cannot be decoded"


def test_a_length_that_ffmpeg_guessed_from_the_size_is_not_believed() -> None:
    assert what_is_missing(b"\xff\xfb" + bytes(100), decoded("mp3", stated_s=10.0)) == ""
    assert what_is_missing(b"", decoded("amr", stated_s=10.0)) == ""


def test_a_length_that_the_file_counts_itself_is_believed() -> None:
    counted = b"\xff\xfb" + bytes(34) + b"Xing"

    assert what_is_missing(counted, decoded("mp3", stated_s=10.0)) == "cut short: 1.0 s of 10.0 s are there"
