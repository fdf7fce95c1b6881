"""What is left of numbers and signs in Portuguese once names, dates, money and measures are said.

The last rules leave no digit and no sign behind.
"""

from __future__ import annotations

import re
from typing import Final

from tts.text.languages.base import bag
from tts.text.languages.pt_br import words
from tts.text.languages.pt_br.gender import gender_of
from tts.text.languages.pt_br.speech import NUM, read, say_digits, say_number
from tts.text.numbers import Gender, beside_letters, cardinal, ordinal
from tts.text.roman import ROMAN, roman_value
from tts.text.rules import any_of, compiled, rule, text_after, text_before


def _around(match: re.Match[str], number: int) -> Gender:
    return gender_of(number, text_before(match), text_after(match))


def _ordinal(match: re.Match[str]) -> str:
    gender = Gender.FEMININE if match[2].lower() in {"ª", "a", "ªs", "as"} else Gender.MASCULINE
    plural = "s" if match[2].endswith("s") else ""
    return beside_letters(match, ordinal(int(match[1]), "pt", gender) + plural)


_ELECTRIC: Final = compiled(r"\b(?:fusíve(?:l|is)|disjuntor(?:es)?|tomadas?|corrente|plugue|bateria)(?:\sde)?\s\d+$")
_PLACED: Final = compiled(
    r"(?<!\w)(?:[oa]s?|[dn][ao]s?|ao|aos|às?|pel[oa]s?|um|uma|[ms]eus?|minhas?|suas?|noss[oa]s?|ess[ea]|est[ea]|cada|em|"
    r"e|ou|toda|todo|até|de|para|pra)\s$"
)
_PLACE_AFTER: Final = compiled(
    r"\s(?:vez|lugar|andar|dia|parte|edição|fase|série|ano|turma|feira|via|dose|aula|etapa|rodada|temporada|semana|"
    r"quinzena|parcela|prova|colocad[oa]|classe|geração|linha|pessoa|mão|turno|semestre|bimestre|trimestre|período|piso|"
    r"tempo|passo|capítulo|mês|filh[oa]|opção|grau|round|episódio|volta|escolha|casa|marcha)\b"
)


def _ordinal_in_letters(match: re.Match[str]) -> str:
    """The 2a of "a 2a", "1o lugar" is a place in a row; that of "Pixel 8a" is part of a name."""
    before, after = text_before(match), text_after(match)
    placed = not re.search(r"\w\W?$", before) or _PLACED.search(before) or _PLACE_AFTER.match(after)
    return _ordinal(match) if placed else f"{match[1]} {match[2]}"


def _amperes(match: re.Match[str]) -> str:
    return " amperes" if _ELECTRIC.search(text_before(match)) else match.group()


def _roman(match: re.Match[str]) -> str:
    value = roman_value(match["roman"])
    if value is None:
        return match.group()
    label = match["label"]
    counted = value > 10 or not (label[0].isupper() or label.lower().startswith("século"))
    return f"{label} {cardinal(value, 'pt') if counted or label.lower() in _LABELS else ordinal(value, 'pt')}"


_LABELS: Final = bag(
    """
    capítulo volume tomo parte fase artigo inciso ato livro tipo nível grau seção etapa módulo
    """
)


def _cardinal(match: re.Match[str]) -> str:
    written = match.group()
    return beside_letters(match, say_number(written, _around(match, read(written).whole)))


def _symbol(match: re.Match[str]) -> str:
    return f" {words.SYMBOLS[match.group()]} "


COUNTS: Final = (
    rule("ordinal", r"(?<![\d.,])(\d{1,4})\s?(ªs|ºs|º|ª|°(?=\s[a-zà-ÿ]))(?!\w)", _ordinal),
    rule("amperes", r"(?<=\d)\s?A\b", _amperes, ignore_case=False),
    rule("ordinal_in_letters", r"(?<![\w.,-])(\d{1,2})(os|as|o|a)(?!\w)", _ordinal_in_letters, ignore_case=False),
    rule(
        "roman",
        rf"(?P<label>\b(?:[Ss]éculos?|[A-ZÀ-Þ]?[a-zà-ÿ]*(?:apítulo|olume|omo|arte|ase|rtigo|nciso|vro|ipo|ível|rau|eção)))\s(?P<roman>{ROMAN})\b(?!['.-]\w)",
        _roman,
        ignore_case=False,
    ),
    rule("ruler", rf"(?P<label>\b[A-ZÀ-Þ][a-zà-ÿ]+)\s(?P<roman>(?=[IVX]{{2}}){ROMAN})\b", _roman, ignore_case=False),
    rule(
        "century_after",
        rf"(?<=\be )(?P<roman>(?=[IVX]{{2}}){ROMAN})\b",
        lambda m: cardinal(roman_value(m[0]) or 0, "pt"),
        ignore_case=False,
    ),
    rule("decade", r"(?<=\banos )'(\d0)\b", lambda m: m[1]),
    rule(
        "version",
        r"(?<!\d)(?!\d{1,3}(?:\.\d{3})+(?![\d.]))\d+(?:\.\d+){2,}",
        lambda m: beside_letters(m, " ponto ".join(map(say_number, m[0].split(".")))),
    ),
    rule("number_sign", r"(?<!\w)#\s?(?=\d)|(?<!\w)n[o°]\.?\s?(?=\d)", "número "),
    rule("over", r"(?<!\w)\+\s?(?=\d)", "mais "),
    rule("or_more", r"(?<=\d)\+(?!\s?\d)", " ou mais "),
    rule("pause", r"(?<=\d)\s-\s(?=\d)", ", "),
    rule("product", r"(?<=\d)\s?[*×]\s?(?=\d)", " vezes "),
    rule("square", r"(?<=\w)²", " ao quadrado"),
    rule("cube", r"(?<=\w)³", " ao cubo"),
    rule("grade", r"(?<=\d)/(?=(?:5|10|100)\b)", " de "),
    rule("slash", r"(?<=\d)\s?/\s?(?=\d)", " barra "),
    rule("or", r"(?<=[^\W\d_])\s?/\s?(?=[^\W\d_])", " ou "),
    rule(
        "two_digits_from_zero",
        r"(?<![\d.,:])0\d(?!\d|[.,:]\d)(?!\s[a-zà-ÿ])",
        lambda m: beside_letters(m, say_digits(m[0])),
    ),
    rule("hyphen_before_digit", r"(?<=[^\W\d_])-(?=\d)|(?<=\d)-(?=[^\W\d_])", " "),
    rule("cardinal", NUM, _cardinal),
    rule("symbol", any_of(words.SYMBOLS), _symbol),
)
