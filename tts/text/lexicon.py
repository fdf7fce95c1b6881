"""A persona's own pronunciations, laid over the words of a plan. Knows nothing of where the entries come from."""

from __future__ import annotations

from collections.abc import Mapping

from tts.text.rules import Rule, table_rule


def lexicon_rules(lexicon: Mapping[str, str]) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """The rules to run before expansion (entries with digits or signs, "C&A") and after it (plain words).

    Entries match whole words without regard to case, the longest first. Empty keys are passed over.
    """
    entries = {key.strip(): value for key, value in lexicon.items() if key.strip()}
    words = {key: value for key, value in entries.items() if all(part.isalpha() for part in key.split())}
    signs = {key: value for key, value in entries.items() if key not in words}
    return _rules("lexicon_signs", signs), _rules("lexicon", words)


def _rules(name: str, entries: Mapping[str, str]) -> tuple[Rule, ...]:
    return (table_rule(name, entries, before=r"(?<!\w)", keep_capital=False),) if entries else ()
