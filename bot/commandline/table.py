"""Aligns text in columns for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

import click


def columns(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A line of heads and one line a row; the last column may be as long as it likes.

    Line breaks and control characters in a cell become spaces: cells hold what others wrote.
    """
    rows = [[_plain(cell) for cell in row] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(heads, *rows, strict=True)]
    for number, row in enumerate((heads, *rows)):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        yield click.style(line, bold=True) if number == 0 else line


def pairs(facts: Sequence[tuple[str, str]], *, line_width: int = 100) -> Iterator[str]:
    """A line a fact, names in one column; long values go on below themselves. Facts without a value are left out."""
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        if value:
            room = line_width - width - 2
            lines = [_plain(line) for line in value.splitlines()]
            first, *rest = [part for line in lines for part in textwrap.wrap(line, room) or [""]] or [""]
            yield f"{click.style(f'{name:<{width}}', bold=True)}  {first}"
            yield from (" " * (width + 2) + line for line in rest)


def _plain(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)
