import pytest

from tts.languages import match_language


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("pt-BR", "pt-BR"),
        ("pt", "pt-BR"),
        ("pt-PT", "pt-BR"),
        ("PT_br", "pt-BR"),
        ("en", "en"),
        ("en-GB", "en"),
        ("de", None),
        ("", None),
    ],
)
def test_a_tag_finds_itself_or_its_relative(wanted: str, found: str | None) -> None:
    assert match_language(wanted, {"en", "pt-BR"}) == found


def test_the_same_tag_wins_over_a_relative() -> None:
    assert match_language("pt-PT", ["pt-BR", "pt-PT"]) == "pt-PT"
