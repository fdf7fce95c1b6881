"""What holds for every voice: it is either stored as it can be read again, or refused."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.voice import dump_voice, parse_voice
from bot.voice_store import readable
from tts.contract import SourceKind, Voice, VoiceSource
from tts.errors import BadVoice

STEADY = settings(deadline=None, derandomize=True, max_examples=300)

WEIGHTS = st.one_of(st.floats(), st.sampled_from([0.0, 0.5, 1.0]))
SOURCES = st.lists(
    st.builds(VoiceSource, kind=st.sampled_from(SourceKind), ref=st.text(max_size=140), weight=WEIGHTS), max_size=4
).map(tuple)
VOICES = st.builds(
    Voice,
    id=st.one_of(st.just("ana"), st.text(max_size=50)),
    language=st.one_of(st.just("pt-BR"), st.text(max_size=8)),
    prompt=st.text(),
    sources=SOURCES,
    stand_in=SOURCES,
    speed=st.one_of(st.floats(), st.floats(0.5, 2.0)),
    engines=st.lists(st.text(max_size=10), max_size=3).map(tuple),
    seed=st.one_of(st.none(), st.integers(-2, 2**65)),
    version=st.integers(-1, 10**6),
    must_resemble=st.booleans(),
)
GOOD = st.builds(
    Voice,
    id=st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True),
    language=st.sampled_from(["pt-BR", "en"]),
    prompt=st.text(max_size=500),
    sources=st.lists(
        st.builds(
            VoiceSource,
            kind=st.sampled_from(SourceKind),
            ref=st.text("abc_1 é", min_size=1).map(lambda ref: f"v{ref}"),
            weight=st.floats(1e-6, 1e6),
        ),
        max_size=4,
    ).map(tuple),
    seed=st.integers(0, 2**63 - 1),
    version=st.integers(1, 10**6),
)


@STEADY
@given(VOICES)
def test_a_voice_is_read_again_as_it_was_stored_or_refused(voice: Voice) -> None:
    try:
        stored = readable(voice)
    except BadVoice:
        return
    assert parse_voice(dump_voice(stored).encode()) == stored
    assert readable(stored) == stored


@STEADY
@given(GOOD)
def test_a_good_voice_is_stored_as_it_is_but_for_outer_blanks(voice: Voice) -> None:
    stored = readable(voice)

    assert stored.prompt == voice.prompt.strip()
    assert [one.weight for one in stored.sources] == [one.weight for one in voice.sources]
    assert all(math.isfinite(one.weight) for one in stored.sources)
