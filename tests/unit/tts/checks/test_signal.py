import numpy as np
import pytest

from tts.checks.signal import GateLimits, judge_signal, longest_drone_s, repetition_score
from tts.contract import PcmAudio
from tts.engines.fake import tone

RATE_HZ = 24_000
LIMITS = GateLimits()


def audio(*parts: np.ndarray) -> PcmAudio:
    return PcmAudio(samples=np.concatenate(parts).astype(np.float32), sample_rate_hz=RATE_HZ)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE_HZ))


def reasons(take: PcmAudio, *, expected_s: float) -> str:
    return "; ".join(judge_signal(take, expected_s=expected_s, limits=LIMITS).reasons)


def test_a_take_as_expected_passes_with_its_scores() -> None:
    verdict = judge_signal(tone("a", seconds=4), expected_s=4.0, limits=LIMITS)

    assert verdict.passed
    scores = dict(verdict.scores)
    assert scores["length_off"] == pytest.approx(0.0, abs=0.02)
    assert scores["clipped"] == 0


@pytest.mark.parametrize(("seconds", "expected_s"), [(1.0, 6.0), (12.0, 3.0)])
def test_a_take_of_an_impossible_length_is_refused(seconds: float, expected_s: float) -> None:
    assert reasons(tone("a", seconds=seconds), expected_s=expected_s).startswith("length")


@pytest.mark.parametrize("seconds", [0.3, 1.2])
def test_short_words_may_vary(seconds: float) -> None:
    assert judge_signal(tone("a", seconds=seconds), expected_s=0.5, limits=LIMITS).passed


@pytest.mark.parametrize("take", [audio(silence(3)), audio(silence(0)), audio(silence(3) + 0.001)])
def test_silence_is_refused(take: PcmAudio) -> None:
    assert "silent" in reasons(take, expected_s=3.0)


def test_silence_at_the_edges_does_not_count_as_length() -> None:
    take = audio(silence(1), tone("a", seconds=3).samples, silence(1))

    verdict = judge_signal(take, expected_s=3.0, limits=LIMITS)

    assert dict(verdict.scores)["length_off"] < 0.05


def test_a_hole_in_the_middle_is_refused() -> None:
    take = audio(tone("a", seconds=2).samples, silence(3), tone("b", seconds=2).samples)

    assert reasons(take, expected_s=6.0) == "gap: 3.0 s of silence inside"


def test_a_pause_between_clauses_passes() -> None:
    take = audio(tone("a", seconds=2).samples, silence(0.8), tone("b", seconds=2).samples)

    assert judge_signal(take, expected_s=4.8, limits=LIMITS).passed


def test_clipping_is_refused() -> None:
    take = audio(np.clip(tone("a", seconds=3).samples * 10, -1, 1))

    assert "clipped" in reasons(take, expected_s=3.0)


@pytest.mark.parametrize("period_s", [0.3, 0.7, 1.5])
def test_a_stuck_engine_is_heard(period_s: float) -> None:
    loop = np.tile(tone("a", seconds=period_s).samples, round(6 / period_s))

    assert "repetition" in reasons(audio(tone("b", seconds=2).samples, loop), expected_s=8.0)


def test_speech_that_does_not_repeat_scores_low() -> None:
    assert repetition_score(tone("a", seconds=8)) < 0.6


def test_what_is_too_short_to_repeat_scores_nothing() -> None:
    assert repetition_score(tone("a", seconds=1)) == 0.0


def test_a_vowel_that_never_ends_is_heard() -> None:
    time_s = np.arange(round(2.5 * RATE_HZ)) / RATE_HZ
    vowel = sum(np.sin(2 * np.pi * 120 * harmonic * time_s) / harmonic for harmonic in range(1, 12)) * 0.1

    take = audio(tone("a", seconds=2).samples, vowel)

    assert "drone" in reasons(take, expected_s=4.0)


def test_a_hiss_that_never_ends_is_heard() -> None:
    hiss = np.random.default_rng(1).normal(0, 0.1, round(2.5 * RATE_HZ))

    assert "drone" in reasons(audio(tone("a", seconds=2).samples, hiss), expected_s=4.0)


def test_a_pause_is_no_drone() -> None:
    take = audio(tone("a", seconds=2).samples, silence(1.5), tone("b", seconds=2).samples)

    assert longest_drone_s(take) < 0.8
