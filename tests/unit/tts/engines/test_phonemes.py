import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.engines import espeak_ng
from tts.engines.phonemes import VOICES, phonemes, split_tokens
from tts.errors import EngineFailed


def test_punctuation_stays_where_it_was() -> None:
    assert [mark for mark in phonemes("Oi, tudo bem? Sim! Até logo.", "pt-BR") if mark in ",.?!"] == [
        ",",
        "?",
        "!",
        ".",
    ]


def test_a_mark_stands_behind_its_word_and_before_a_space() -> None:
    spoken = phonemes("Yes, I do.", "en")

    assert spoken.count(", ") == 1
    assert " ," not in spoken
    assert spoken.endswith(".")


def test_repeated_marks_become_one() -> None:
    assert phonemes("What?!...", "en").endswith("t?")


def test_english_keeps_the_sounds_as_espeak_writes_them() -> None:
    assert "dʒ" in phonemes("jam", "en")


@pytest.mark.parametrize(("text", "letter"), [("dia", "ʤ"), ("tia", "ʧ"), ("lei", "A")])
def test_portuguese_writes_one_letter_for_one_sound(text: str, letter: str) -> None:
    assert letter in phonemes(text, "pt-BR")


def test_foreign_words_leave_no_language_marks() -> None:
    spoken = phonemes("Data 데이터 here", "en")

    assert "(" not in spoken
    assert espeak_ng.TIE not in spoken


@pytest.mark.parametrize("language", VOICES)
def test_every_language_has_a_voice(language: str) -> None:
    assert phonemes("radio", language)


@pytest.mark.parametrize("text", ["", "   ", "...", "\n"])
def test_a_text_without_words_has_no_sounds(text: str) -> None:
    assert not any(symbol.isalpha() for symbol in phonemes(text, "en"))


def test_an_unknown_espeak_voice_is_refused() -> None:
    with pytest.raises(EngineFailed, match="no voice 'xx-none'"):
        espeak_ng.phonemes("a", "xx-none", tied=False)


@given(st.text(alphabet="abc .,!?", max_size=300), st.integers(5, 60))
def test_pieces_keep_every_symbol_and_the_limit(symbols: str, limit: int) -> None:
    pieces = list(split_tokens(symbols, limit=limit))

    assert "".join(pieces).replace(" ", "") == symbols.replace(" ", "")
    assert all(0 < len(piece) <= limit for piece in pieces)


def test_a_cut_prefers_the_end_of_a_sentence() -> None:
    assert list(split_tokens("aaa bbb, ccc ddd. eee", limit=20)) == ["aaa bbb, ccc ddd.", "eee"]


def test_a_cut_falls_between_words_where_there_is_no_mark() -> None:
    assert list(split_tokens("aaaa bbbb cccc", limit=10)) == ["aaaa bbbb", "cccc"]


def test_a_single_long_word_is_cut_anyway() -> None:
    assert list(split_tokens("a" * 25, limit=10)) == ["a" * 10, "a" * 10, "a" * 5]
