"""The languages of the front end, by tag. Portuguese and English are complete; all others are read safely."""

from __future__ import annotations

from tts.text.languages.base import Language
from tts.text.languages.en import ENGLISH
from tts.text.languages.other import other_language
from tts.text.languages.pt_br import PORTUGUESE

_COMPLETE = {"pt": PORTUGUESE, "en": ENGLISH}
_TAGS = {"pt": "pt-BR", "en": "en"}


def language_for(tag: str) -> Language:
    """The rules for a BCP-47 tag, found by its primary subtag; an unknown language is no error."""
    code = _code(tag)
    return _COMPLETE.get(code) or other_language(code)


def canonical_tag(tag: str) -> str:
    """The tag engines know: "pt_br" and "pt" → "pt-BR", "en-US" → "en"; other tags as given."""
    return _TAGS.get(_code(tag), tag.strip())


def _code(tag: str) -> str:
    return tag.strip().replace("_", "-").partition("-")[0].lower()
