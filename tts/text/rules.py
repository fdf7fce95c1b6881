"""One expansion rule, and how an ordered row of them rewrites a text.

A language is little more than a tuple of rules (see `tts.text.languages`); their order is the grammar: what is more
specific comes first, and the last rules leave no digit behind. Knows no language and no Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

Say = Callable[[re.Match[str]], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What `pattern` finds is said as `say` puts it; `say` may look around with `text_before` and `text_after`."""

    name: str
    pattern: re.Pattern[str]
    say: Say

    def apply(self, text: str) -> str:
        """The text with every match said in words."""
        return self.pattern.sub(self.say, text)


_WINDOW: Final = 80


def text_before(match: re.Match[str]) -> str:
    """The 80 characters before a match: enough to judge it, and no more work for a match far into a long text."""
    return match.string[max(0, match.start() - _WINDOW) : match.start()]


def text_after(match: re.Match[str]) -> str:
    """The 80 characters after a match."""
    return match.string[match.end() : match.end() + _WINDOW]


def rule(name: str, pattern: str, say: Say | str, *, ignore_case: bool = True) -> Rule:
    """Build a rule; a string `say` is put in as it stands (no group references)."""
    compiled = re.compile(pattern, re.IGNORECASE if ignore_case else 0)
    return Rule(name=name, pattern=compiled, say=(lambda _: say) if isinstance(say, str) else say)


def table_rule(
    name: str,
    table: Mapping[str, str],
    *,
    before: str = r"(?<![\w@#])",
    after: str = r"(?!\w)",
    match_case: bool = False,
    keep_capital: bool = True,
) -> Rule:
    """A rule for a table of written → spoken forms, longest first; `keep_capital` carries a capital letter over."""
    lookup = {key if match_case else key.lower(): value for key, value in table.items()}

    def say(match: re.Match[str]) -> str:
        found = match.group()
        spoken = lookup[found if match_case else found.lower()]
        return capitalised(spoken) if keep_capital and found[0].isupper() else spoken

    return rule(name, before + any_of(table) + after, say, ignore_case=not match_case)


def apply_rules(text: str, rules: Iterable[Rule]) -> str:
    """Run the rules in order, each over what the one before left."""
    for each in rules:
        text = each.apply(text)
    return text


def any_of(words: Iterable[str]) -> str:
    """A regular-expression group that matches any of the literal words, the longest first."""
    return "(?:" + "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) + ")"


def capitalised(text: str) -> str:
    """The text with a capital first letter, the rest untouched."""
    return text[:1].upper() + text[1:]


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern compiled once, ignoring case."""
    return re.compile(pattern, re.IGNORECASE)
