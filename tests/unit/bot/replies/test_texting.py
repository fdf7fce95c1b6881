from __future__ import annotations

import pytest

from bot.replies.texting import written_out


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("vc tá bem? blz, vlw", "pt-br", "você está bem? beleza, valeu"),
        ("obggg", "pt-br", "obrigado"),
        ("Q horas sao", "pt-br", "que horas sao"),
        ("u r gr8, thx", "en", "you are great, thanks"),
        ("k", "en", "ok"),
        ("kkkkkk", "en", "kkkkkk"),
        ("to go", "en", "to go"),
        ("to bem", "pt-br", "estou bem"),
        ("vc u", "fr", "vc u"),
        ("", "en", ""),
    ],
)
def test_chat_abbreviations_become_words_of_their_language(text: str, language: str, words: str) -> None:
    assert written_out(text, language) == words
