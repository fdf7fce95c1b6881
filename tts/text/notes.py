"""What a plan may have to tell about a text: each loss has one name and one sentence. Knows no stage that finds it."""

from __future__ import annotations

from enum import StrEnum


class Note(StrEnum):
    """Something that is said otherwise than written. The value is the warning a person reads."""

    CODE = "a code block was left out: describe it in words instead"
    TABLE = "a table was read row by row: write it as sentences"
    IMAGE = "only the description of an image was read: describe it in the text"
    LINK = "only the domain of a link was read: send the link as text"
    SCRIPT = "letters of another script were left out: write them in the language of the voice"
    SYMBOL = "symbols that have no words were left out: write them in words"
    EMOJI = "emoji were left out"
    ACTION = "a stage direction was left out"
    LONG_SEGMENT = "a segment is longer than 300 characters: shorter sentences sound better"
    TRUNCATED = "the text was cut to the time allowed"


REFUSED_WHEN_STRICT = frozenset({Note.CODE, Note.TABLE, Note.IMAGE, Note.LINK, Note.SCRIPT, Note.SYMBOL})
