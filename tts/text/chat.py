"""The habits of chats, said as a listener wants them: emoji, stage directions, laughter.

Every function takes and gives plain text, and names what it left out. Knows a language only as data.
"""

from __future__ import annotations

import re

import emoji

from tts.text.languages.base import Language
from tts.text.notes import Note
from tts.text.rules import compiled, text_after, text_before

_EMOTICON = re.compile(
    r"(?<![\w])(?:[:;=]['’]?[-o^]?[)\](\[dDpP/\\|*oO]+|[xX]D+|[:;]['’]?[-]?[cC<>{}]+|<3+(?![\d%]|[.,]\d)|</3|\^_*\^|[;T]_[;T]|[oO]_[oO]|-_+-|"
    r">[_.]<|:v|\\o/|¯\\_\(ツ\)_/¯)(?![^\W\d_])"
)
_ACTION = re.compile(r"\*([^*\n]{1,80})\*|\(([^()\n]{1,40})\)|\[([^\[\]\n]{1,40})\]")
_DRAWN_OUT = re.compile(r"(?<!\d)([a-zà-ÿ]|(?<=[A-ZÀ-Þ])[ABD-HJKN-UWYZÀ-Þ])\1{2,}([a-zà-ÿ]?)")


def drop_emoji(text: str) -> tuple[str, tuple[Note, ...]]:
    """The text without emoji and emoticons. A listener hears their mood in the words or not at all."""
    bare = emoji.replace_emoji(text, lambda found, _: {"‼️": "!", "⁉️": "?!", "❗": "!", "❓": "?"}.get(found, " "))
    bare = _EMOTICON.sub(" ", bare.replace("\u200d", "").replace("\ufe0f", "").replace("\ufe0e", ""))
    return bare, (Note.EMOJI,) if bare != text else ()


def play_actions(text: str, language: Language) -> tuple[str, tuple[Note, ...]]:
    """Stage directions: a laugh is laughed, others (`*smiles*`, `(suspira)`) go; emphasis keeps its words."""
    notes: list[Note] = []

    def play(match: re.Match[str]) -> str:
        emphasis = match.group(1)
        inside = next(group for group in match.groups() if group is not None)
        words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", inside.lower())
        if words and len(words) <= 6:
            if words[0] in language.laughing or words[-1] in language.laughing:
                return f" {language.laugh} "
            if words[0] in language.acting and (emphasis is not None or len(words) <= 3):
                notes.append(Note.ACTION)
                return " "
        return inside if emphasis is not None else match.group()

    return _ACTION.sub(play, text), tuple(dict.fromkeys(notes))


def laugh(text: str, language: Language) -> str:
    """Written laughter ("kkkk", "rsrs", "hahaha"), however long, becomes one spoken laugh set off by pauses."""
    if not language.laughter:
        return text
    one = rf"(?:{language.laughter}|{re.escape(language.laugh)})"
    run = compiled(rf"(?<![.,;:!?…])([.,;:!?…]*)\s*(?<![\w@#./-]){one}(?:[^\w.!?;:]+{one})*(?![\w@-])\s*([.,;:!?…]*)")

    def say(match: re.Match[str]) -> str:
        before, after = match.groups()
        opens = re.search(r"\w", text_before(match)) is None or before[-1:] in set(".!?…")
        spoken = language.laugh
        lead = f"{before} " if before else (" " if opens else ", ")
        rest = text_after(match).lstrip()
        if after or not rest:
            return f"{lead}{spoken}{after} "
        return f"{lead}{spoken}{'.' if rest[0].isupper() else ','} "

    return run.sub(say, text).strip()


def shorten_elongation(text: str, language: Language) -> str:
    """Drawn-out words as they are spelled ("siiiim" → "sim"): voices stumble over letters three times in a row."""
    doubled = language.doubled
    if doubled is None:
        return text
    return _DRAWN_OUT.sub(lambda m: m[1] * (2 if m[1].lower() in doubled and m[2] else 1) + m[2], text)
