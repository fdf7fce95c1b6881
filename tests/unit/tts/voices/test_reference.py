from dataclasses import replace

import numpy as np
import pytest

from tests.speech import speech
from tts.contract import PcmAudio, PreparedSource, SourceKind, VoiceSource
from tts.errors import BadAudio, BadVoice
from tts.voices.reference import LEAST_S, cut_to, join_reference, shares_s, usable
from tts.voices.speech import speech_spans

RATE_HZ = 24_000


def source(seconds: float, words: str | None = "olá", *, weight: float = 1.0, level: float = 0.5) -> PreparedSource:
    audio = PcmAudio(samples=np.full(round(seconds * RATE_HZ), level, np.float32), sample_rate_hz=RATE_HZ)
    named = VoiceSource(kind=SourceKind.SAMPLE, ref="a" * 64, weight=weight)
    return PreparedSource(source=named, audio=audio, transcript=words)


def test_one_sample_may_fill_the_reference() -> None:
    assert shares_s([1.0]) == (19.5,)


def test_shares_follow_the_weights_and_leave_room_for_the_gap() -> None:
    heavy, light = shares_s([0.75, 0.25])

    assert heavy == pytest.approx(3 * light)
    assert heavy + light == pytest.approx(20 - 0.5 - 0.25)


def test_the_lightest_sample_still_has_enough_to_be_known_by() -> None:
    assert shares_s([0.95, 0.05])[1] == LEAST_S


def test_what_fits_is_not_cut() -> None:
    audio = speech(2)

    assert cut_to(audio, 20.0) is audio


def test_a_cut_falls_between_utterances() -> None:
    audio = speech(3)
    first, second, third = speech_spans(audio)

    cut = cut_to(audio, third.end_s - 0.5)

    assert second.end_s < cut.duration_s < third.start_s
    assert first.end_s < cut.duration_s


def test_an_endless_utterance_is_cut_at_its_quietest_moment() -> None:
    samples = np.full(10 * RATE_HZ, 0.5, np.float32)
    samples[round(4.2 * RATE_HZ) : round(4.3 * RATE_HZ)] = 0.0

    cut = cut_to(PcmAudio(samples=samples, sample_rate_hz=RATE_HZ), 5.0)

    assert cut.duration_s == pytest.approx(4.25, abs=0.06)


def test_samples_are_joined_heaviest_first_with_silence_between_and_behind() -> None:
    light, heavy = source(4, "tchau", weight=0.2, level=0.1), source(5, "olá", weight=0.8, level=0.5)

    joined = join_reference([light, heavy], sample_rate_hz=RATE_HZ)

    assert joined is not None
    assert joined.transcript == "olá tchau"
    assert joined.audio.duration_s == pytest.approx(5 + 0.25 + 4 + 0.5)
    samples = joined.audio.samples
    assert samples[0] == 0.5
    assert not samples[5 * RATE_HZ : round(5.25 * RATE_HZ)].any()
    assert samples[round(5.25 * RATE_HZ)] == pytest.approx(0.1)
    assert not samples[round(9.25 * RATE_HZ) :].any()


def test_a_sample_that_does_not_fit_is_left_out_with_its_words() -> None:
    joined = join_reference([source(15, "um", weight=0.6), source(9, "dois", weight=0.4)], sample_rate_hz=RATE_HZ)

    assert joined is not None
    assert joined.transcript == "um"
    assert joined.audio.duration_s == pytest.approx(15.5)


@pytest.mark.parametrize("words", [None, ""])
def test_audio_without_words_is_no_reference(words: str | None) -> None:
    assert join_reference([source(4, words)], sample_rate_hz=RATE_HZ) is None


def test_names_bring_no_audio_to_a_reference() -> None:
    assert join_reference([replace(source(4), audio=None)], sample_rate_hz=RATE_HZ) is None


def test_a_reference_has_the_rate_that_was_asked_for() -> None:
    joined = join_reference([source(4)], sample_rate_hz=22_050)

    assert joined is not None
    assert joined.audio.sample_rate_hz == 22_050
    assert joined.audio.duration_s == pytest.approx(4.5, abs=0.001)


# -- what an engine can use ----------------------------------------------------------------------------------------


def recorded(samples: np.ndarray | None) -> PreparedSource:
    audio = None if samples is None else PcmAudio(samples=samples, sample_rate_hz=RATE_HZ)
    return replace(source(1), audio=audio)


def taken(samples: np.ndarray | None) -> np.ndarray:
    return usable(recorded(samples), engine="XTTS", shortest_s=0.33).samples


MONO = np.linspace(-0.5, 0.5, RATE_HZ, dtype=np.float32)


@pytest.mark.parametrize(
    "samples",
    [MONO, MONO[None], MONO[:, None], np.stack([MONO - 0.1, MONO + 0.1]), np.stack([MONO, MONO, MONO], axis=1)],
    ids=["mono", "(1, n)", "(n, 1)", "(2, n)", "(n, 3)"],
)
def test_channels_are_mixed_down_whichever_side_they_are(samples: np.ndarray) -> None:
    np.testing.assert_allclose(taken(samples), MONO, atol=1e-6)


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (MONO[:2400], r"0\.10 s long; XTTS needs 0\.33 s"),
        (np.stack([MONO, MONO])[:, :2400], r"0\.10 s long"),
        (np.zeros(0, np.float32), r"0\.00 s long"),
        (np.zeros((0, 2), np.float32), r"0\.00 s long"),
        (np.full(RATE_HZ, np.nan, np.float32), "no numbers"),
        (np.full((RATE_HZ, 2), np.inf, np.float32), "no numbers"),
        (np.zeros((2, 2, RATE_HZ), np.float32), "3 dimensions"),
    ],
    ids=["short", "short stereo", "empty", "empty stereo", "nan", "infinite", "cube"],
)
def test_what_is_no_sound_or_too_little_is_refused_with_the_reason(samples: np.ndarray, says: str) -> None:
    with pytest.raises(BadAudio, match=says):
        taken(samples)


def test_a_recording_that_is_not_there_is_the_voices_fault() -> None:
    with pytest.raises(BadVoice, match="missing"):
        taken(None)
