"""Take out of a reply what was never meant for a listener, and bring its letters into one form.

Control, zero-width and private characters, special tokens of language models, HTML tags, ornamental alphabets,
foreign digits. Knows no Markdown and no language.
"""

from __future__ import annotations

import re
import unicodedata

_SPECIAL_TOKEN = re.compile(
    r"<\|[^|<>\n]{0,40}\|>|</?s>|\[/?INST\]|<</?SYS>>|<(think)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE
)
_LINE_BREAK_TAG = re.compile(r"<(?:br|/p|/div|/li)\b[^<>\n]{0,80}>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z][a-z0-9-]*(?:\s[^<>\n]{0,200})?/?>", re.IGNORECASE)
_KEYCAP = re.compile(r"([0-9#*])\ufe0f?\u20e3")
_ONE_FORM = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\u02bc": "'", "\u00b4": "'",
        "\u201c": '"', "\u201d": '"', "\u201e": '"', "«": '"', "»": '"',
        "\u2010": "-", "\u2011": "-", "\u2212": "-", "\u2012": "–", "\u2015": "—",
        "\u2044": "/", "\u2215": "/", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u3000": " ",
        "\u2028": "\n", "\u2029": "\n", "\r": "\n", "\t": " ", "…": "...",
    }
)  # fmt: skip
_KEPT_AS_WRITTEN = frozenset("ªº²³™℠°！？，；：")


_LONG_RUN = re.compile(r"([^\w\s`|-])\1{3,}")


# "10⁻⁵" is a power; ² and ³ alone belong to units and stay
_RAISED = re.compile(r"(?<=[\w)])(?![²³](?![⁰¹²³⁴-⁹]))(⁻?)([⁰¹²³⁴-⁹]+)")


def _power(match: re.Match[str]) -> str:
    return f"^{'-' if match[1] else ''}{unicodedata.normalize('NFKC', match[2])}"


def clean(text: str) -> str:
    """The text in NFC with ASCII quotes, hyphens and digits, without tokens, tags and invisible characters."""
    text = text.replace("\r\n", "\n")
    text = _KEYCAP.sub(r"\1. ", text)
    text = _RAISED.sub(_power, text)
    text = _SPECIAL_TOKEN.sub(" ", text)
    text = _LINE_BREAK_TAG.sub("\n", text)
    text = _TAG.sub(" ", text)
    text = unicodedata.normalize("NFC", "".join(map(_plain, text.translate(_ONE_FORM))))
    return _LONG_RUN.sub(r"\1\1\1", text.translate(_ONE_FORM))


def _plain(character: str) -> str:
    """One character as a listener's alphabet has it: "𝓸" → "o", "５" → "5", "½" → " 1/2", zero-width → nothing."""
    if character.isascii():
        return character if character == "\n" or character.isprintable() else ""
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    if category in {"Cf", "Cc", "Co", "Cs", "Cn"}:
        # a zero-width joiner holds an emoji together, and emoji are known by their whole sequence
        return character if character == "\u200d" else ""
    if category == "Nd":
        return str(unicodedata.digit(character))
    if character in _KEPT_AS_WRITTEN:
        return character
    compatible = unicodedata.normalize("NFKC", character).replace("\u2044", "/")
    if compatible != character and compatible.isascii():
        if category == "No" and compatible.isdigit():
            return f" {compatible} "  # "①②" are two numbers
        return f" {compatible}" if "/" in compatible else compatible
    return character
