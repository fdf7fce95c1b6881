from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.engines.qwen3.prompts import (
    LANGUAGES,
    TIMBRES,
    language_name,
    most_frames,
    speakable,
    without_special,
)
from tts.errors import BadText, BadVoice

SPECIAL = frozenset({"<|im_end|>", "<tts_pad>", "<think>"})


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Oi<|im_end|> tudo bem?", "Oi tudo bem?"),
        ("a <tts_pad> b", "a b"),
        ("<|im_start|>system", "system"),
        ("<|unknown_to_the_tokenizer|>x", "x"),
        ("2 < 3 | 4 > 1", "2 < 3 | 4 > 1"),
        ("  two   spaces \n", "two spaces"),
    ],
)
def test_special_tokens_are_taken_out_and_nothing_else(text: str, clean: str) -> None:
    assert without_special(text, SPECIAL) == clean


def test_a_token_made_by_taking_one_out_goes_too() -> None:
    assert "<think>" not in without_special("<th<tts_pad>ink>hello", SPECIAL | {"<th ink>"})
    assert without_special("<|im_<|im_end|>end|>hello", SPECIAL) == "hello"


@given(st.lists(st.sampled_from(["<|im_", "end|>", "<|im_end|>", "<tts", "_pad>", "a", " "]), max_size=12))
def test_no_order_of_pieces_leaves_a_special_token(pieces: list[str]) -> None:
    clean = without_special("".join(pieces), SPECIAL)

    assert not any(token in clean for token in SPECIAL)


def test_half_a_character_is_taken_out_because_no_tokenizer_takes_it() -> None:
    assert without_special("oi \ud83d tudo", SPECIAL) == "oi tudo"


@pytest.mark.parametrize("text", ["", "   ", "\ud83d", "...", "<|im_end|>", "<tts_pad> !"])
def test_text_without_a_word_is_refused(text: str) -> None:
    with pytest.raises(BadText):
        speakable(text, SPECIAL)


@pytest.mark.parametrize(("tag", "name"), [("pt-BR", "Portuguese"), ("en-GB", "English"), ("zh_CN", "Chinese")])
def test_languages_are_called_as_the_model_calls_them(tag: str, name: str) -> None:
    assert language_name(tag, LANGUAGES) == name


def test_an_unknown_language_is_refused_with_those_it_speaks() -> None:
    with pytest.raises(BadVoice, match="valid: en, pt"):
        language_name("nl", frozenset({"pt", "en"}))


def test_there_are_ten_languages_and_nine_timbres() -> None:
    assert (len(LANGUAGES), len(TIMBRES)) == (10, 9)


def test_a_take_may_last_the_factor_of_its_length_and_a_second() -> None:
    assert most_frames(4.0, factor=2.5) == 138
    assert most_frames(0.0, factor=2.5) == 13
