"""Decoding tells a voice note from everything else."""

from __future__ import annotations

import pytest

from webhooks.emulator.errors import BadRecording
from webhooks.emulator.media import PEAKS, inspect, to_voice_note


def test_a_proper_voice_note_has_no_problem(note: bytes) -> None:
    facts = inspect(note)
    assert facts.problem is None
    assert (facts.container, facts.codec, facts.channels) == ("ogg", "opus", 1)


def test_the_duration_is_that_of_the_sound(note: bytes) -> None:
    assert inspect(note).duration_s == pytest.approx(0.4, abs=0.05)


def test_peaks_lie_between_nothing_and_one(recording: bytes) -> None:
    peaks = inspect(to_voice_note(recording)).peaks
    assert len(peaks) <= PEAKS
    assert max(peaks) == 1.0
    assert min(peaks) >= 0.0


def test_a_wav_is_no_voice_note(recording: bytes) -> None:
    assert inspect(recording).problem == "the container is wav, not ogg"


def test_stereo_is_no_voice_note(stereo_note: bytes) -> None:
    assert inspect(stereo_note).problem == "2 channels, not mono"


def test_bytes_that_cannot_be_decoded_are_a_problem_and_not_an_error() -> None:
    assert "cannot be decoded" in (inspect(b"OggS and nothing more").problem or "")


def test_a_play_list_is_not_followed() -> None:
    assert inspect(b"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nfile:///etc/hostname\n").container == "?"


def test_silence_without_length_cannot_be_sent(empty_recording: bytes) -> None:
    with pytest.raises(BadRecording):
        to_voice_note(empty_recording)
