import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.contract import EngineInfo, SourceKind, Voice, VoiceSource
from tts.errors import BadVoice
from tts.voices.mix import blend_embeddings, kinds_needed, mix_names, normalised, usable_sources

A, B = np.array([1.0, 0.0], np.float32), np.array([0.0, 1.0], np.float32)


def style(ref: str, weight: float = 1.0) -> VoiceSource:
    return VoiceSource(kind=SourceKind.STYLE, ref=ref, weight=weight)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=8).filter(lambda weights: sum(weights) > 0))
def test_normalised_weights_sum_to_one_and_keep_their_proportions(weights: list[float]) -> None:
    parts = normalised([style(str(number), weight) for number, weight in enumerate(weights)])

    assert math.isclose(sum(weight for _, weight in parts), 1.0, rel_tol=1e-9)
    for source, weight in parts:
        assert math.isclose(weight * sum(weights), source.weight, rel_tol=1e-6, abs_tol=1e-300)


@pytest.mark.parametrize("weight", [-0.1, math.nan, math.inf])
def test_a_weight_that_is_no_share_is_refused(weight: float) -> None:
    with pytest.raises(BadVoice, match="weights are 0 or more"):
        normalised([style("a"), style("b", weight)])


@pytest.mark.parametrize("sources", [(), (style("a", 0.0), style("b", 0.0))])
def test_all_zero_is_refused(sources: tuple[VoiceSource, ...]) -> None:
    with pytest.raises(BadVoice, match="all weights of the mix are zero"):
        normalised(sources)


def test_a_mix_lies_between_its_sources() -> None:
    assert mix_names([style("a", 3), style("b", 1)], {"a": A, "b": B}) == pytest.approx([0.75, 0.25])


def test_a_source_without_weight_leaves_no_trace() -> None:
    assert mix_names([style("a", 2), style("b", 0)], {"a": A, "b": B}) == pytest.approx(A)


def test_an_unknown_style_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(BadVoice, match="unknown style c; valid: a, b"):
        mix_names([style("c")], {"a": A, "b": B})


def test_a_blend_of_embeddings_does_not_shrink() -> None:
    assert np.linalg.norm(blend_embeddings([(A * 3, 0.5), (B, 0.5)])) == pytest.approx(2.0)


def test_embeddings_that_cancel_out_are_refused() -> None:
    with pytest.raises(BadVoice, match="cancel"):
        blend_embeddings([(A, 0.5), (-A, 0.5)])


LIGHT = EngineInfo(
    name="light",
    model="m",
    licence="l",
    languages=frozenset(),
    sample_rate_hz=24_000,
    max_batch=1,
    source_kinds=frozenset({SourceKind.STYLE}),
    names=("a", "b"),
)


def test_an_engine_uses_the_voices_own_sources_before_its_stand_in() -> None:
    voice = Voice(id="v", language="en", sources=(style("a"),), stand_in=(style("b"),))

    assert usable_sources(voice, LIGHT) == (style("a"),)


def test_a_voice_with_one_source_the_engine_cannot_take_falls_to_its_stand_in() -> None:
    sample = VoiceSource(kind=SourceKind.SAMPLE, ref="x")
    voice = Voice(id="v", language="en", sources=(style("a"), sample), stand_in=(style("b"),))

    assert usable_sources(voice, LIGHT) == (style("b"),)


def test_a_source_without_weight_does_not_disqualify() -> None:
    sample = VoiceSource(kind=SourceKind.SAMPLE, ref="x", weight=0.0)
    voice = Voice(id="v", language="en", sources=(style("a"), sample))

    assert usable_sources(voice, LIGHT) is not None


def test_a_voice_of_nothing_is_a_stranger() -> None:
    assert usable_sources(Voice(id="v", language="en"), LIGHT) is None


def test_weights_too_large_to_add_up_are_refused() -> None:
    with pytest.raises(BadVoice, match="too large"):
        normalised([style("a", 1e308), style("b", 1e308)])


def test_what_voices_need_is_told_by_kind_whatever_the_names() -> None:
    stranger, sampled = (
        Voice(id="v", language="en", sources=(source,))
        for source in (style("unheard of"), VoiceSource(kind=SourceKind.SAMPLE, ref="x"))
    )

    assert kinds_needed([stranger, sampled], LIGHT) == {SourceKind.STYLE}
    assert kinds_needed([replace(sampled, stand_in=(style("a"),))], LIGHT) == {SourceKind.STYLE}
    assert kinds_needed([Voice(id="v", language="en", prompt="warm")], LIGHT) == frozenset()
