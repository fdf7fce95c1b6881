from __future__ import annotations

import pytest

from tts.contract import SourceKind
from tts.errors import BadVoice
from tts.voices.ids import StoredId, TimbreId, clone_id, read_voice_id, timbre_voice

TIMBRES = ("ryan", "uncle_fu", "serena")


@pytest.mark.parametrize("text", ["qwen3-ryan", "Qwen3-Ryan", " qwen3-RYAN "])
def test_a_timbre_is_found_whatever_its_letter_case(text: str) -> None:
    assert read_voice_id(text, timbres=TIMBRES) == TimbreId(timbre="ryan")


def test_a_clone_id_means_a_stored_voice_that_qwen3_speaks() -> None:
    assert read_voice_id("qwen3-clone-Ana-2", timbres=TIMBRES) == StoredId(voice_id="Ana-2", engine="qwen3")


def test_a_clone_id_is_read_as_it_was_written() -> None:
    assert read_voice_id(clone_id("ana"), timbres=()) == StoredId(voice_id="ana", engine="qwen3")


def test_any_other_id_is_a_stored_voice_of_any_engine() -> None:
    assert read_voice_id("lia", timbres=TIMBRES) == StoredId(voice_id="lia")


def test_an_unknown_timbre_is_refused_with_the_valid_ids() -> None:
    with pytest.raises(BadVoice, match="valid: qwen3-ryan, qwen3-serena, qwen3-uncle_fu"):
        read_voice_id("qwen3-bob", timbres=TIMBRES)


def test_without_a_model_that_has_timbres_none_is_valid() -> None:
    with pytest.raises(BadVoice, match="valid: none here"):
        read_voice_id("qwen3-ryan", timbres=())


@pytest.mark.parametrize("text", ["", "  ", "qwen3-clone-"])
def test_an_id_that_names_nobody_is_refused(text: str) -> None:
    with pytest.raises(BadVoice):
        read_voice_id(text, timbres=TIMBRES)


def test_a_timbres_voice_is_its_speaker_alone() -> None:
    voice = timbre_voice("serena", language="pt-BR", prompt="calm")

    (source,) = voice.sources
    assert (voice.id, voice.engines, voice.prompt) == ("qwen3-serena", ("qwen3",), "calm")
    assert (source.kind, source.ref) == (SourceKind.TIMBRE, "serena")
