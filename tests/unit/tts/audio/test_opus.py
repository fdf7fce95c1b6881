import io

import av
import numpy as np
import pytest
import soundfile

from tts.audio.decode import decode
from tts.audio.opus import AudioFormat, OpusApplication, OpusChoices, encode_file, encode_opus, encode_voice_note
from tts.audio.voice_note import validate_voice_note
from tts.contract import PcmAudio
from tts.errors import BadAudio

LIMIT_BYTES = 512_000


def noise(seconds: float, *, rate_hz: int = 24_000) -> PcmAudio:
    samples = np.random.default_rng(2).normal(0, 0.1, round(seconds * rate_hz))
    return PcmAudio(samples=samples.astype(np.float32), sample_rate_hz=rate_hz)


@pytest.mark.parametrize("seconds", [0.25, 1.0, 7.531])
def test_a_note_states_its_exact_length(seconds: float) -> None:
    facts = validate_voice_note(encode_voice_note(noise(seconds), OpusChoices()), max_bytes=LIMIT_BYTES)

    assert facts.duration_s == pytest.approx(seconds, abs=0.001)


def test_a_note_is_mono_at_the_chosen_rate_with_a_neutral_vendor() -> None:
    facts = validate_voice_note(encode_voice_note(noise(1), OpusChoices()), max_bytes=LIMIT_BYTES)

    assert (facts.channels, facts.input_rate_hz) == (1, 16_000)
    assert "Lavf" not in facts.vendor


def test_packets_are_sixty_milliseconds() -> None:
    data = encode_voice_note(noise(6), OpusChoices(frame_ms=60))
    shorter = encode_voice_note(noise(6), OpusChoices(frame_ms=20))

    assert _packet_count(data) == pytest.approx(100, abs=2)
    assert _packet_count(shorter) == pytest.approx(300, abs=4)


def _packet_count(data: bytes) -> int:
    with av.open(io.BytesIO(data)) as container:
        return sum(1 for packet in container.demux(audio=0) if packet.size)


def test_the_bit_rate_is_about_the_chosen_one() -> None:
    data = encode_voice_note(noise(10), OpusChoices(bitrate_bps=24_000))

    assert len(data) * 8 / 10 == pytest.approx(24_000, rel=0.15)


def test_the_bit_rate_falls_to_keep_a_long_note_small() -> None:
    choices = OpusChoices(max_bytes=25_000)

    data = encode_voice_note(noise(12), choices)

    assert len(data) <= choices.max_bytes
    assert len(data) * 8 / 12 > 10_000


def test_a_note_too_long_for_the_lowest_rate_is_refused() -> None:
    with pytest.raises(BadAudio, match="do not fit"):
        encode_voice_note(noise(12), OpusChoices(max_bytes=5_000))


def test_segments_through_one_encoder_are_one_stream() -> None:
    parts = [noise(1.0, rate_hz=16_000), noise(0.37, rate_hz=16_000), noise(2.0, rate_hz=16_000)]

    data = encode_opus(iter(parts), OpusChoices(), bitrate_bps=24_000)

    assert validate_voice_note(data, max_bytes=LIMIT_BYTES).duration_s == pytest.approx(3.37, abs=0.001)


@pytest.mark.parametrize("application", OpusApplication)
def test_both_encoder_applications_give_proper_notes(application: OpusApplication) -> None:
    data = encode_voice_note(noise(1), OpusChoices(application=application))

    assert validate_voice_note(data, max_bytes=LIMIT_BYTES).duration_s == pytest.approx(1.0, abs=0.001)


@pytest.mark.parametrize(
    ("audio_format", "container"),
    [(AudioFormat.WAV, "wav"), (AudioFormat.FLAC, "flac"), (AudioFormat.MP3, "mp3"), (AudioFormat.OGG, "ogg")],
)
def test_every_format_comes_back_with_its_length(audio_format: AudioFormat, container: str) -> None:
    decoded = decode(encode_file(noise(2), audio_format, OpusChoices()))

    assert decoded.container == container
    assert decoded.audio.duration_s == pytest.approx(2.0, abs=0.12)


def test_wav_keeps_the_audios_own_rate() -> None:
    _, rate_hz = soundfile.read(io.BytesIO(encode_file(noise(1), AudioFormat.WAV, OpusChoices())))

    assert rate_hz == 24_000


def test_the_voice_note_type_is_the_one_whatsapp_takes() -> None:
    assert AudioFormat.OGG.mime == "audio/ogg; codecs=opus"
