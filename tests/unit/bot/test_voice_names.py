from __future__ import annotations

from dataclasses import replace

import pytest

from bot.voice_names import Names, id_problems, known_names
from tts.contract import SourceKind, Voice, VoiceSource
from tts.settings import EngineName, TtsSettings

VOICE = Voice(id="ana", language="pt-BR", prompt="voz")


def source(ref: str, *, kind: SourceKind) -> VoiceSource:
    return VoiceSource(kind=kind, ref=ref)


def test_a_server_may_know_names_and_languages_that_nobody_lists() -> None:
    names = Names(order=(EngineName.REMOTE, EngineName.KOKORO), unlisted=frozenset({EngineName.REMOTE}))
    strange = replace(VOICE, language="sv", sources=(source("nobody", kind=SourceKind.TIMBRE),))

    assert names.problems(strange) == ()
    assert [path for path, _ in names.problems(replace(strange, engines=("qwen3",)))] == ["language", "sources"]


@pytest.mark.parametrize(
    ("engine", "kind", "ref"),
    [
        ("qwen3", SourceKind.TIMBRE, "ryan"),
        ("bark", SourceKind.TIMBRE, "v2/pt_speaker_3"),
        ("kokoro", SourceKind.STYLE, "jf_alpha"),
        ("espeak", SourceKind.STYLE, "anything"),
    ],
)
def test_a_name_belongs_to_the_engine_that_has_it(engine: str, kind: SourceKind, ref: str) -> None:
    names = Names()

    assert names.problems(replace(VOICE, engines=(engine,), sources=(source(ref, kind=kind),))) == ()
    assert names.problems(replace(VOICE, engines=("qwen3",), sources=(source("nope", kind=kind),))) != ()


def test_an_installation_lists_the_names_of_what_it_runs() -> None:
    plain = known_names(TtsSettings(tts_engines=("qwen3", "xtts")))
    with_xtts = known_names(TtsSettings(tts_engines=("qwen3", "xtts"), xtts_model="somewhere"))
    stranger = replace(VOICE, sources=(source("Claribel Dervla", kind=SourceKind.TIMBRE),))

    assert [path for path, _ in plain.problems(stranger)] == ["sources"]
    assert with_xtts.problems(stranger) == ()


@pytest.mark.parametrize(("voice_id", "problems"), [("ana-2", 0), ("qwen3-ana", 1), ("Ana", 1), ("a" * 41, 1), ("", 1)])
def test_an_id_is_short_plain_and_no_timbre(voice_id: str, problems: int) -> None:
    assert len(id_problems(voice_id)) == problems
