from __future__ import annotations

import click

from bot.commandline.table import columns, pairs


def plain(lines: list[str]) -> list[str]:
    return [click.unstyle(line) for line in lines]


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert plain(list(columns(("ID", "NAME"), [("a", "Ana"), ("longer", "B")]))) == [
        "ID      NAME",
        "a       Ana",
        "longer  B",
    ]


def test_facts_without_a_value_are_left_out() -> None:
    assert plain(list(pairs([("id", "7"), ("reason", "")]))) == ["id      7"]


def test_long_values_go_on_below_themselves() -> None:
    assert plain(list(pairs([("say", "one two three\nfour")], line_width=12))) == [
        "say  one two",
        "     three",
        "     four",
    ]


def test_what_others_wrote_cannot_break_a_table() -> None:
    assert plain(list(columns(("ID", "NAME"), [("a\nb", "\x1b[2JAna")]))) == ["ID   NAME", "a b   [2JAna"]
    assert plain(list(pairs([("name", "\x1b[2JAna\tB")]))) == ["name   [2JAna B"]
