"""Brazilian Portuguese: the ordered rules from written text to spoken words. Each module holds one kind of them."""

from __future__ import annotations

from typing import Final

from tts.text.languages.base import Language, bag
from tts.text.languages.pt_br.clock import TIMES
from tts.text.languages.pt_br.counts import COUNTS
from tts.text.languages.pt_br.dates import DATES
from tts.text.languages.pt_br.measures import MEASURES
from tts.text.languages.pt_br.names import NAMES
from tts.text.languages.pt_br.short_forms import SHORT_FORMS
from tts.text.languages.pt_br.signs import SIGNS

PORTUGUESE: Final = Language(
    code="pt",
    complete=True,
    rules=(*SIGNS, *NAMES, *DATES, *SHORT_FORMS, *TIMES, *MEASURES, *COUNTS),
    scripts=frozenset({"LATIN"}),
    characters_per_s=12.7,
    words_for={".": "ponto", "@": "arroba", "#": "hashtag", "_": "underline", "-": "traço", "+": "mais", "/": "barra"},
    spoken_tlds={"br": "bê érre", "io": "i ó", "ai": "a i", "pt": "pê tê", "tv": "tê vê", "me": "me", "app": "épi"},
    laughter=r"k{2,}|(?:rs){1,}|h?(?:a+h+){1,}a+h?|h?(?:e+h+){1,}e+h?|(?:h[aue]{1,2}){3,}|(?:ks){2,}k?|(?:ka){3,}|lo+l|haha",
    laugh="rá rá rá",  # the letter h is silent in Portuguese: a voice says "ha" as "a"
    laughing=frozenset({"risos", "ri", "rindo", "risada", "risadas", "gargalha", "gargalhando", "gargalhada", "rs"}),
    acting=bag(
        """
    sorri sorrindo sorriso suspira suspirando suspiro pisca piscando piscadela abraça abraçando abraço chora
    chorando acena acenando cochicha cochichando sussurra sussurrando tosse tossindo pausa boceja bocejando
    pensa pensando pensativo pensativa animado animada olha olhando encara respira respirando beija beijo
    aplaude canta levanta inclina balança dá coça franze envergonhado envergonhada silêncio
    """
    ),
    clause_openers=bag(
        """
    e mas ou porque que quando se como para pois enquanto embora onde então portanto
    """
    ),
    doubled=frozenset("rs"),
)
