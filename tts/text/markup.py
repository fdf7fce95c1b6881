"""Markdown, as chat models write it, to blocks of plain text. Knows no language and reads nothing aloud.

Chats are not documents: a new line is a new thought, an indented line is no code, and single asterisks hold either
WhatsApp's bold or a stage direction, so they stay for `tts.text.chat` to judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tts.text.notes import Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A paragraph, heading, list item or table row, without markup; `number` is the item's place in a counted list."""

    text: str
    number: int | None = None


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False})
    parser.enable(["table", "strikethrough"])
    parser.disable(["code", "reference", "html_block", "html_inline", "lheading"])
    return parser


def read_markdown(text: str) -> tuple[tuple[Block, ...], tuple[Note, ...]]:
    """The text's blocks in order, and what could not be kept."""
    notes: list[Note] = []
    blocks = [block for block in _blocks(_parser().parse(_without_citations(text)), notes) if block.text.strip()]
    return tuple(blocks), tuple(dict.fromkeys(notes))


_CITATION = re.compile(
    r"(?<=[\w.,;:!?)\]\"'%*])(?: ?\[\^?[1-9]\d{0,2}\](?:\(https?://[^\s()]{1,300}\))?(?!\()"
    r"|\[[1-9]\d{0,2}(?:[,–-] ?[1-9]\d{0,2}){1,8}\](?!\())"
    r"|【[^】\n]{0,80}】"
)
_MORE_THAN = re.compile(r"^>(?=[\d=$€£¥₹]|[A-Za-z]{1,2}\$)", re.MULTILINE)


def _without_citations(text: str) -> str:
    """The text without marks of sources ("[1]"); a line that begins with ">10" is no quotation."""
    return _MORE_THAN.sub(r"\>", _CITATION.sub("", text))


def _blocks(tokens: list[Token], notes: list[Note]) -> Iterator[Block]:
    numbers: list[int | None] = []  # one entry a nested list: the next item's number
    pending: int | None = None
    row: list[str] | None = None
    for token in tokens:
        match token.type:
            case "ordered_list_open":
                numbers.append(int(token.attrGet("start") or 1))
            case "bullet_list_open":
                numbers.append(None)
            case "ordered_list_close" | "bullet_list_close":
                numbers.pop()
            case "list_item_open":
                pending = numbers[-1]
                numbers[-1] = None if pending is None else pending + 1
            case "table_open":
                notes.append(Note.TABLE)
            case "tr_open":
                row = []
            case "tr_close":
                yield Block(text=", ".join(cell for cell in row or () if cell))
                row = None
            case "fence":
                notes.append(Note.CODE)
            case "inline":
                written = _inline(token.children or [], notes)
                if row is not None:
                    row.append(written.strip())
                else:
                    yield Block(text=written, number=pending)
                    pending = None


def _inline(tokens: list[Token], notes: list[Note]) -> str:
    parts: list[str] = []
    link_from: int | None = None
    target = ""
    for token in tokens:
        match token.type:
            case "text" | "code_inline" | "text_special":
                parts.append(token.content)
            case "em_open" | "em_close":
                parts.append("*" if token.markup == "*" else "")
            case "softbreak" | "hardbreak":
                parts.append("\n")
            case "image":
                notes.append(Note.IMAGE)
                parts.append(token.content)
            case "link_open":
                link_from, target = len(parts), str(token.attrGet("href") or "")
            case "link_close":
                if link_from is not None and not "".join(parts[link_from:]).strip():
                    parts.append(target)
                link_from = None
    return "".join(parts)


_SENTENCE_END = re.compile(r"[.!?:;,…。！？、—–-]$")


def join_lines(text: str) -> str:
    """One line: where a line ended without punctuation a pause is written, light before a small letter."""
    lines = [line.strip() for line in text.split("\n")]
    joined = ""
    for line in filter(None, lines):
        if joined and not _SENTENCE_END.search(joined):
            joined += "," if line[0].islower() else "."
        joined += f" {line}" if joined else line
    return joined
