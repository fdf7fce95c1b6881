"""Addresses as words: links, e-mail, @names, #tags, files and paths. None of their dots ends a sentence.

Gives plain text and names what it left out. Knows a language only as data; without a word for "/" paths stay.
"""

from __future__ import annotations

import re

from tts.text.languages.base import Language
from tts.text.notes import Note

_TLD = (
    "com|org|net|gov|edu|mil|info|biz|app|dev|io|ai|co|me|tv|br|pt|us|uk|ca|au|eu|de|fr|es|it|jp|kr|cn|ru|ly|gl|gg|to|"
    "link|shop|store|online|site|tech|cloud|blog|news"
)
_HOST = rf"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:{_TLD})"
_EMAIL = re.compile(rf"(?<![\w.+-])(?:mailto:)?([a-z0-9][\w.+-]*)@({_HOST})(?![\w-])", re.IGNORECASE)
_URL = re.compile(r"\b(?:https?|ftp)://(?:[^\s/@]*@)?([^\s/?#:()<>\"',]+)(?::\d+)?([/?#][^\s<>\"]*)?", re.IGNORECASE)
_BARE_HOST = re.compile(rf"(?<![\w.@/-])({_HOST})(?![\w@-])(?::\d+)?(/[^\s<>\"]*)?", re.IGNORECASE)
_HANDLE = re.compile(r"(?<![\w@])@(\w(?:[\w.]*\w)?)")
_HASHTAG = re.compile(r"(?<![\w#&])#(?=[^\W\d_])(\w+)")
_CAMEL = re.compile(r"(?<=[a-zà-ÿ0-9])(?=[A-ZÀ-Þ])")
_SHORT_LINK = re.compile(r"(?<![\w.@/-])((?:[a-z0-9-]{2,63}\.){1,3}[a-z]{2,6})(/\w[^\s<>\"]*)", re.IGNORECASE)
_EXTENSION = (
    "pdf|docx?|odt|rtf|txt|md|xlsx?|csv|tsv|pptx?|jpe?g|png|gif|svg|webp|heic|mp3|mp4|m4a|wav|ogg|flac|mov|avi|mkv|"
    "zip|rar|gz|7z|exe|apk|dmg|iso|dll|html?|css|js|mjs|ts|jsx|tsx|json|xml|ya?ml|toml|ini|cfg|conf|log|sql|py|rb|php|"
    "java|cpp|sh|bat|ipynb|epub|ics|vcf|lock|bak"
)
_FILE = re.compile(rf"(?<![\w./@~-])((?:[\w.-]+/)+)?([\w-]+(?:\.\w+)?)\.({_EXTENSION})(?![\w@/-]|\.\w)", re.IGNORECASE)
_PATH = re.compile(
    r"(?<![\w/<.@~-])~?(?:/[\w.@-]*[\w@-]){2,}/?|(?<![\w/<.@~-])~/[\w./-]*\w|\b[A-Za-z]:(?:\\[\w.-]*\w)+"
)
_DOTTED_NAME = re.compile(
    rf"(?<![\w.,/])\.(NET|env|gitignore|gitconfig|dockerignore|bashrc|zshrc|htaccess|npmrc|ssh|{_EXTENSION})(?![\w@])"
)
_TRAILING = ".,;:!?)]'\"*"


def say_links(text: str, language: Language) -> tuple[str, tuple[Note, ...]]:
    """Addresses as words: a URL as its domain, an e-mail sign by sign, @names and #tags by name."""
    notes: list[Note] = []

    def domain(match: re.Match[str]) -> str:
        path = match.group(2) or ""
        kept = path[len(path.rstrip(_TRAILING)) :]
        if len(path) > len(kept) + 1:
            notes.append(Note.LINK)
        host, ending = match.group(1), ""
        if not path:
            bare = host.rstrip(_TRAILING)
            host, ending = bare, host[len(bare) :]
        return _spoken_host(host, language) + kept + ending

    def address(match: re.Match[str]) -> str:
        name = _signs(match.group(1), language)
        return f"{name} {language.words_for['@']} {_spoken_host(match.group(2), language)}"

    text = _EMAIL.sub(address, text)
    text = _URL.sub(domain, text)
    if "/" in language.words_for:
        text = _FILE.sub(lambda m: _spoken_file(m[1] or "", m[2], m[3], language), text)
        text = _PATH.sub(lambda m: _spoken_path(m[0], language), text)
        text = _DOTTED_NAME.sub(lambda m: f"{language.words_for['.']} {m[1]}", text)
    text = _BARE_HOST.sub(domain, text)
    text = _SHORT_LINK.sub(domain, text)
    text = _HANDLE.sub(lambda m: f"{language.words_for['@']} {_signs(m[1], language)}", text)
    text = _HASHTAG.sub(lambda m: f"{language.words_for['#']} " + _CAMEL.sub(" ", m[1].replace("_", " ")), text)
    return text, tuple(dict.fromkeys(notes))


def _spoken_host(host: str, language: Language) -> str:
    labels = host.lower().removeprefix("www.").split(".")
    spoken = [language.spoken_tlds.get(label, label) if place else label for place, label in enumerate(labels)]
    return _signs(f" {language.words_for['.']} ".join(filter(None, spoken)), language)


def _signs(text: str, language: Language) -> str:
    for sign in "._-+":
        text = text.replace(sign, f" {language.words_for[sign]} ")
    return re.sub(r"\s+", " ", text).strip()


def _spoken_path(path: str, language: Language) -> str:
    dotted = path.strip("/\\").replace(".", f" {language.words_for['.']} ")
    drive, colon, rest = dotted.partition(":")
    spoken = re.sub(r"[/\\]", f" {language.words_for['/']} ", rest if colon else drive)
    lead = f"{drive} " if colon else f"{language.words_for['/']} " if path.startswith("/") else ""
    return re.sub(r"[\s_~-]+", " ", lead + spoken).strip()


def _spoken_file(folder: str, name: str, ending: str, language: Language) -> str:
    ending = ending if re.search(r"[aeiou]", ending, re.IGNORECASE) and len(ending) > 2 else ending.upper()
    where = f"{_spoken_path(folder, language)} {language.words_for['/']} " if folder else ""
    name = name.replace(".", f" {language.words_for['.']} ")
    return where + re.sub(r"[\s_-]+", " ", f"{name} {language.words_for['.']} {ending}")
