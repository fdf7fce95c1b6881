"""What a message is about: the intents of its clauses, weighed against what else it says. Knows no reply, no history.

One stray clause does not speak for a message: a topic counts where it makes up a fair share of the words, or where it
is plainly asked for at the end. Feelings go before topics, and an emergency before everything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.persona import Intent, IntentRole
from bot.replies.intents import CONFIDENT, IntentMatcher, Match
from bot.replies.trim import sentences
from bot.words import plain_words

SURE = 0.8  # so sure it takes to change the subject, or to be a wish at the end of much else
LONG_WORDS = 25  # from here on a message is an account, not a remark
FEW_WORDS = 4
FAIR_SHARE = 0.5  # of the words that are no courtesy
WHOLE_FIRST = 0.05  # so much surer a clause must be than the message as a whole
MOST_TOPICS = 2  # a burst about more than this is answered to its first topics
_AND = re.compile(r"\s+(?:e|and)\s+", re.IGNORECASE)
_ASKING = re.compile(
    r"(?:(?:e|mas|oi|ai|entao|me|pode|so|and|but|hey|ok|please|pls)\s+)*"
    r"(?:q|quais|qual|quem|quando|onde|como|quanto|quanta|quantos|quantas|porque|pq|por que|o que|oq|que horas|que dia"
    r"|cade|sera|sabe|existe|tem como|da pra|da para|explica|diz|conta|canta|fala|ajuda|traduz|traduza|escreve|escreva"
    r"|procura|pesquisa|calcula|resume|ensina|faz um|faz uma|faca|manda|liga|toca|abre|compra|pede"
    r"|what|whats|which|who|whos|whom|whose|when|whens|where|wheres|why|how|hows|is|are|does|do you|did|can|could|would"
    r"|will|should|explain|tell|sing|say|translate|write|help|find|search|show|send|summarise|summarize|calculate|make"
    r"|get me|give me|order)\b"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clause:
    """A part of a message and the intent it surely means, if any."""

    text: str
    words: int
    match: Match | None


def topics_of(text: str, matcher: IntentMatcher, by_role: Mapping[IntentRole, Intent]) -> tuple[Match, ...]:
    """What to answer to, in the order of what was said; nothing where only a fallback will do."""
    whole, clauses = _read(text, matcher)
    said = [*(clause.match for clause in clauses if clause.match), *([whole] if whole else [])]
    urgent = next((match for match in said if match.intent.role is IntentRole.URGENT), None)
    if urgent:
        return (urgent,)
    if whole and whole.score + WHOLE_FIRST >= max(match.score for match in said):
        return (whole,)
    feeling = next((match for match in said if match.intent.role is IntentRole.FEELING), None)
    if feeling:
        wish = _wish(clauses)
        return (feeling, wish) if wish else (feeling,)
    return _weighed(text, clauses, by_role)


def asks(text: str) -> bool:
    """Whether this asks or orders something, rather than tells it; question marks are often left out."""
    return "?" in text or bool(_ASKING.match(plain_words(text)))


def changes_subject(text: str, matcher: IntentMatcher, *, least_words: int) -> bool:
    """Whether this is surely about something of its own, whatever was asked before."""
    match = matcher.best(text)
    return bool(match and match.score >= SURE and _count(text) >= least_words)


def _read(text: str, matcher: IntentMatcher) -> tuple[Match | None, list[_Clause]]:
    parts = [part for sentence in sentences(text) for part in sentence.split(",") if part.strip()]
    halves = [_AND.split(part, maxsplit=1) for part in parts]
    texts = [text, *parts, *(half for pair in halves if len(pair) > 1 for half in pair)]
    found = dict(zip(texts, map(_sure, matcher.best_of(texts)), strict=True))
    clauses: list[_Clause] = []
    joined = False
    for part, pair in zip(parts, halves, strict=True):
        two_wishes = _two_wishes([found[half] for half in pair])
        joined = joined or two_wishes
        clauses += [_Clause(text=one, words=_count(one), match=found[one]) for one in (pair if two_wishes else [part])]
    return None if joined else found[text], clauses


def _two_wishes(matches: Sequence[Match | None]) -> bool:
    """Whether the halves of "a joke and a story" are topics of their own."""
    names = {match.intent.name for match in matches if match and match.intent.role is IntentRole.PLAIN}
    return len(names) > 1


def _sure(match: Match | None) -> Match | None:
    return match if match and match.score >= CONFIDENT else None


def _weighed(text: str, clauses: Sequence[_Clause], by_role: Mapping[IntentRole, Intent]) -> tuple[Match, ...]:
    courteous = [one.match for one in clauses if one.match and _is_courtesy(one.match)]
    others = [one for one in clauses if not (one.match and _is_courtesy(one.match))]
    topics = [one.match for one in others if one.match]
    rest = " ".join(one.text for one in others)
    if topics and sum(one.words for one in others if one.match) < FAIR_SHARE * _count(rest):
        wish = _wish(clauses)
        topics = [wish] if wish else []
    if not topics and not (courteous and _goes_without_saying(rest, text)):
        heard = _heard(rest or text, by_role)
        if heard is None:
            return ()  # a fallback says that it does not know; a courtesy before it would be no answer
        topics = [Match(intent=heard, score=0.0)]
    kept = {one.intent.name: one for one in (*courteous, *topics) if one.intent.role is not IntentRole.BACK}
    return tuple(kept.values())[:MOST_TOPICS] or tuple(topics)


def _goes_without_saying(rest: str, text: str) -> bool:
    """Whether what a courtesy leaves over needs no answer: "thanks, that helped"."""
    return _count(rest) <= _count(text) / 2 or (_count(rest) <= FEW_WORDS and not asks(rest))


def _wish(clauses: Sequence[_Clause]) -> Match | None:
    """What is plainly asked for at the end."""
    last = clauses[-1].match
    return last if last and last.score >= SURE and last.intent.role is IntentRole.PLAIN else None


def _heard(text: str, by_role: Mapping[IntentRole, Intent]) -> Intent | None:
    """What to say to something that no example is like, by its form."""
    words = _count(text)
    if not words:
        return by_role.get(IntentRole.EMOJI)
    if words >= LONG_WORDS and IntentRole.TOLD_LONG in by_role:
        return by_role[IntentRole.TOLD_LONG]
    return None if asks(text) else by_role.get(IntentRole.TOLD)


def _is_courtesy(match: Match) -> bool:
    return match.intent.role is IntentRole.COURTESY


def _count(text: str) -> int:
    return len(plain_words(text).split())
