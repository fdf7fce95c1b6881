"""Answers from a persona's own script: the embedded default, without any model. Pure but for its memory of scripts.

The same request always gets the same reply. History is read for three things: not to say again what was just said, to
know what "another one" or "yes" is about, and to answer a riddle that stands open.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from bot.persona import Intent, IntentRole, Persona
from bot.persona_form import slots_of
from bot.replies.contract import Reply, ReplyRequest, ReplySource
from bot.replies.intents import CONFIDENT, IntentMatcher
from bot.replies.slots import fill, pattern_of, slot_values
from bot.replies.trim import sentences, trimmed
from bot.words import plain_words

NEW_TOPIC = 0.8  # so sure, and so many words, it takes to leave a riddle open
NEW_TOPIC_WORDS = 3
MOST_TOPICS = 2  # a burst about more than this is answered to its first topics


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What an earlier line of the persona was: a reply of this intent or the follow-up of one."""

    intent: Intent
    index: int
    was_follow_up: bool


class _Script:
    """A persona's script, prepared once."""

    def __init__(self, persona: Persona) -> None:
        self.persona = persona
        self.matcher = IntentMatcher(persona.intents, persona.language)
        self.by_name = {intent.name: intent for intent in persona.intents}
        self._lines = [
            (pattern_of(template), _Said(intent=intent, index=index, was_follow_up=was_follow_up))
            for intent in persona.intents
            for templates, was_follow_up in ((intent.replies, False), (intent.follow_ups, True))
            for index, template in enumerate(templates)
        ]

    def recognise(self, line: str) -> _Said | None:
        """Which reply a line was; None for what the script does not say."""
        return next((said for pattern, said in self._lines if pattern.match(line)), None)


class ScriptReplies:
    """A `ReplyGenerator` that needs nothing but the persona."""

    def __init__(self) -> None:
        self._scripts: dict[str, _Script] = {}

    async def reply(self, request: ReplyRequest) -> Reply:
        """The script's answer; there always is one, since every persona has fallbacks."""
        script = self._script(request.persona)
        said = [line.text for line in reversed(request.history) if line.role == "persona"]
        values = slot_values(
            language=request.persona.language,
            persona_name=request.persona.name,
            person_name=request.person_name,
            timezone=request.timezone or request.persona.timezone,
            now_ms=request.now_ms,
        )
        chooser = _Chooser(request=request, said=said, values=values)
        return Reply(text=trimmed(_answer(script, chooser), request.max_chars), source=ReplySource.SCRIPT)

    def _script(self, persona: Persona) -> _Script:
        known = self._scripts.get(persona.id)
        if known is None or known.persona != persona:
            known = self._scripts[persona.id] = _Script(persona)
        return known


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chooser:
    """Chooses among replies: one that can be filled, fits, and was said longest ago or never."""

    request: ReplyRequest
    said: Sequence[str]  # newest first
    values: dict[str, str]

    def one_of(self, templates: Sequence[str], topic: str) -> str:
        possible = [one for one in templates if slots_of(one) <= self.values.keys()]
        fitting = [one for one in possible if len(fill(one, self.values)) <= self.request.max_chars] or possible
        ages = {one: self._age(one) for one in fitting}
        oldest = max(ages.values())
        fresh = [one for one in fitting if ages[one] == oldest]
        seed = f"{self.request.persona.id}:{topic}:{self.request.now_ms}:{self.request.text}"
        return self.fill(fresh[zlib.crc32(seed.encode()) % len(fresh)])

    def fill(self, template: str) -> str:
        return fill(template, self.values)

    def _age(self, template: str) -> int:
        """How many of the persona's lines ago this was said; one more than all of them if never."""
        pattern = pattern_of(template)
        return next((age for age, line in enumerate(self.said) if pattern.match(line)), len(self.said))


def _answer(script: _Script, chooser: _Chooser) -> str:
    text = chooser.request.text
    before = script.recognise(chooser.said[0]) if chooser.said else None
    topics = _topics(script, text)
    open_riddle = before if before and before.intent.follow_ups and not before.was_follow_up else None
    if open_riddle and not _is_urgent(topics) and not _new_topic(script, text):
        return chooser.fill(open_riddle.intent.follow_ups[open_riddle.index])
    if not topics:
        return chooser.one_of(script.persona.fallbacks, "fallback")
    resolved = [_resolved(script, topic, before, chooser.said) for topic in topics]
    replies = [chooser.one_of(topic.replies, topic.name) for topic in resolved]
    if len(replies) == 1 or resolved[0] is resolved[-1]:
        return replies[-1]
    joined = f"{sentences(replies[0])[0]} {replies[-1]}"  # a word on the first topic, then the second in full
    return joined if len(joined) <= chooser.request.max_chars else replies[-1]


def _topics(script: _Script, text: str) -> list[Intent]:
    """What a burst is about, in its order: one intent when it reads best as a whole, else those of its sentences."""
    whole = script.matcher.best(text)
    pieces = [match for piece in _pieces(text) if (match := script.matcher.best(piece)) and match.score >= CONFIDENT]
    urgent = [match.intent for match in pieces if match.intent.role is IntentRole.URGENT]
    if urgent:
        return urgent[:1]
    if whole and whole.score >= max([CONFIDENT, *(match.score for match in pieces)]):
        return [whole.intent]
    return list({match.intent.name: match.intent for match in pieces}.values())[:MOST_TOPICS]


def _is_urgent(topics: Sequence[Intent]) -> bool:
    return any(topic.role is IntentRole.URGENT for topic in topics)


def _pieces(text: str) -> list[str]:
    return [part for sentence in sentences(text) for part in sentence.split(",") if part.strip()]


def _new_topic(script: _Script, text: str) -> bool:
    match = script.matcher.best(text)
    return bool(match and match.score >= NEW_TOPIC and len(plain_words(text).split()) >= NEW_TOPIC_WORDS)


def _resolved(script: _Script, topic: Intent, before: _Said | None, said: Sequence[str]) -> Intent:
    """The intent a "yes" or "another" stands for; itself where it stands for nothing known."""
    if topic.role is IntentRole.YES and before:
        if before.was_follow_up:
            return before.intent
        offered = script.by_name.get(before.intent.offers)
        topic = offered or topic
    if topic.role is IntentRole.AGAIN:
        for line in said:
            earlier = script.recognise(line)
            if earlier and earlier.intent.role is IntentRole.PLAIN and not _offers_more(script, earlier.intent):
                return earlier.intent
    return topic


def _offers_more(script: _Script, intent: Intent) -> bool:
    """Whether this intent only comments on another and offers more of that."""
    offered = script.by_name.get(intent.offers)
    return offered is not None and offered.role is IntentRole.AGAIN
