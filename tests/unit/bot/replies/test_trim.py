from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.replies.trim import sentences, trimmed


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Oi! Tudo bem? Sim.", ["Oi!", "Tudo bem?", "Sim."]),
        ("São 3.5 litros. Pronto", ["São 3.5 litros.", "Pronto"]),
        ('Ele disse "oi." E saiu...', ['Ele disse "oi."', "E saiu..."]),
        ("um\ndois", ["um", "dois"]),
        ("", []),
    ],
)
def test_sentences_keep_their_marks(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts


@pytest.mark.parametrize(
    ("text", "max_chars", "cut"),
    [
        ("Um. Dois. Três.", 100, "Um. Dois. Três."),
        ("Um. Dois. Três.", 9, "Um. Dois."),
        ("Uma frase comprida demais", 12, "Uma frase…"),
        ("semespaçonenhum", 6, "semes…"),
    ],
)
def test_a_text_is_cut_at_a_sentence_or_else_at_a_word(text: str, max_chars: int, cut: str) -> None:
    assert trimmed(text, max_chars) == cut


@given(st.text(min_size=1), st.integers(1, 50))
def test_a_cut_text_is_never_too_long(text: str, max_chars: int) -> None:
    assert len(trimmed(text, max_chars)) <= max_chars


@given(st.text(alphabet="ab .!?…\"'\n", max_size=300))
def test_sentences_lose_nothing_but_space(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())
