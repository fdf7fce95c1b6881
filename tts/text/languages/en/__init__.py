"""English: the ordered rules from written text to spoken words. Each module holds one kind of them."""

from __future__ import annotations

from typing import Final

from tts.text.languages.base import Language, bag
from tts.text.languages.en.clock import TIMES
from tts.text.languages.en.counts import COUNTS
from tts.text.languages.en.dates import DATES, YEARS
from tts.text.languages.en.measures import MEASURES
from tts.text.languages.en.names import NAMES
from tts.text.languages.en.short_forms import SHORT_FORMS
from tts.text.languages.en.signs import SIGNS

ENGLISH: Final = Language(
    code="en",
    complete=True,
    rules=(*SIGNS, *NAMES, *DATES, *TIMES, *SHORT_FORMS, *YEARS, *MEASURES, *COUNTS),
    scripts=frozenset({"LATIN"}),
    characters_per_s=14.0,
    words_for={".": "dot", "@": "at", "#": "hashtag", "_": "underscore", "-": "dash", "+": "plus", "/": "slash"},
    spoken_tlds={"br": "B R", "io": "I O", "ai": "AI", "tv": "TV", "uk": "UK", "us": "US"},
    laughter=r"h?(?:a+h+){1,}a+h?|h?(?:e+h+){1,}e+h?|lo+l|l+m+f?a+o+|rofl|xd|k{3,}|haha",
    laugh="ha ha ha",
    laughing=frozenset({"laughs", "laughing", "laugh", "laughter", "chuckles", "chuckle", "giggles", "giggle", "lol"}),
    acting=bag(
        """
    smiles smile smiling sighs sigh sighing winks wink winking hugs hug nods nod nodding shrugs shrug cries
    crying sobs gasps gasp whispers whispering coughs cough clears pauses pause waves wave waving grins grin
    smirks smirk blushes blush blushing yawns yawn thinks thinking looks leans tilts rolls kisses claps bows
    raises frowns pouts stares takes gently softly excitedly nervously silence
    """
    ),
    clause_openers=frozenset(
        [
            "and",
            "but",
            "or",
            "because",
            "that",
            "which",
            "when",
            "if",
            "while",
            "so",
            "since",
            "although",
            "where",
            "then",
        ]
    ),
    doubled=frozenset("eo"),
)
