"""Answers from a persona's own script: the embedded default, without a chat model. Pure but for its memory of scripts.

The same request always gets the same reply. History is read for three things: not to say again what was just said, to
know what "another one" or "yes" is about, and to answer a riddle that stands open.
"""

from __future__ import annotations

import asyncio
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from bot.persona import Intent, IntentRole, Persona
from bot.persona_form import slots_of
from bot.replies.contract import Reply, ReplyRequest, ReplySource
from bot.replies.intents import IntentMatcher, Match
from bot.replies.meaning import Encoder
from bot.replies.slots import fill, pattern_of, slot_values
from bot.replies.topics import FEW_WORDS, SURE, asks, changes_subject, topics_of
from bot.replies.trim import sentences, trimmed
from bot.words import plain_words

FEELING_LASTS = 4  # replies
NEW_TOPIC_WORDS = 3  # fewer leave a riddle open: they may be a guess


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What an earlier line of the persona was: a reply of this intent or the follow-up of one."""

    intent: Intent
    index: int
    was_follow_up: bool


class _Script:
    """A persona's script, prepared once."""

    def __init__(self, persona: Persona, encoder: Encoder | None) -> None:
        self.persona = persona
        self.matcher = IntentMatcher(persona.intents, persona.language, encoder)
        self.by_name = {intent.name: intent for intent in persona.intents}
        self.by_role = {intent.role: intent for intent in persona.intents}
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
    """A `ReplyGenerator` that needs nothing but the persona; with an encoder it understands more."""

    def __init__(self, encoder: Encoder | None = None) -> None:
        self._encoder = encoder
        self._scripts: dict[str, _Script] = {}
        self._preparing = threading.Lock()

    async def reply(self, request: ReplyRequest) -> Reply:
        """The script's answer; there always is one, since every persona has fallbacks."""
        return await asyncio.to_thread(self._reply, request)

    def _reply(self, request: ReplyRequest) -> Reply:
        script = self._script(request.persona)
        said = [line.text for line in reversed(request.history) if line.role == "persona"]
        values = slot_values(
            language=request.persona.language,
            persona_name=request.persona.name,
            person_name=request.person_name,
            timezone=request.timezone or request.persona.timezone,
            now_ms=request.now_ms,
            said=request.text,
        )
        chooser = _Chooser(request=request, said=said, values=values)
        return Reply(text=trimmed(_answer(script, chooser), request.max_chars), source=ReplySource.SCRIPT)

    def _script(self, persona: Persona) -> _Script:
        with self._preparing:
            known = self._scripts.get(persona.id)
            if known is None or known.persona != persona:
                known = self._scripts[persona.id] = _Script(persona, self._encoder)
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
    topics = topics_of(text, script.matcher, script.by_role)
    riddle = before if before and before.intent.follow_ups and not before.was_follow_up else None
    if riddle and not _leaves_riddle(script, text, topics):
        return chooser.fill(riddle.intent.follow_ups[riddle.index])
    if not topics:
        return chooser.one_of(script.persona.fallbacks, "fallback")
    suited = [_suited(script, topic, chooser) for topic in topics]
    resolved = {one.name: one for one in (_resolved(script, topic, before, chooser.said) for topic in suited)}
    return _joined(list(resolved.values()), chooser)


def _leaves_riddle(script: _Script, text: str, topics: Sequence[Match]) -> bool:
    urgent = any(topic.intent.role is IntentRole.URGENT for topic in topics)
    return urgent or changes_subject(text, script.matcher, least_words=NEW_TOPIC_WORDS)


def _suited(script: _Script, topic: Match, chooser: _Chooser) -> Intent:
    """What suits something told better, by what the persona said before; the topic itself if that is no matter."""
    text, told = chooser.request.text, topic.intent.role is IntentRole.TOLD
    mentioned = topic.intent.role is IntentRole.PLAIN and topic.score < SURE and not asks(text)
    if (told or mentioned) and _is_low(script, chooser.said):
        return script.by_role.get(IntentRole.COMFORT, topic.intent)
    asked = bool(chooser.said) and chooser.said[0].endswith("?")
    brief = len(plain_words(text).split()) <= FEW_WORDS
    return script.by_role.get(IntentRole.ANSWER, topic.intent) if told and asked and brief else topic.intent


def _is_low(script: _Script, said: Sequence[str]) -> bool:
    """Whether a feeling was answered lately, and no topic since."""
    for line in said[:FEELING_LASTS]:
        earlier = script.recognise(line)
        if earlier and earlier.intent.role in {IntentRole.FEELING, IntentRole.COMFORT}:
            return True
        if earlier and earlier.intent.role is IntentRole.PLAIN:
            return False
    return False


def _joined(topics: Sequence[Intent], chooser: _Chooser) -> str:
    """A sentence on courtesies and feelings, then the rest in full; a riddle last, for it waits for its answer."""
    if len(topics) == 1:
        return chooser.one_of(topics[0].replies, topics[0].name)
    first, last = sorted(topics, key=lambda topic: (not _is_brief(topic), bool(topic.follow_ups)))
    opening, body = (chooser.one_of(topic.replies, topic.name) for topic in (first, last))
    joined = f"{sentences(opening)[0] if _is_brief(first) else opening} {body}"
    return joined if len(joined) <= chooser.request.max_chars else body


def _is_brief(topic: Intent) -> bool:
    return topic.role in {IntentRole.COURTESY, IntentRole.FEELING, IntentRole.YES}


def _resolved(script: _Script, topic: Intent, before: _Said | None, said: Sequence[str]) -> Intent:
    """The intent a "yes" or "another" stands for; itself where it stands for nothing known."""
    if topic.role is IntentRole.YES and before:
        if before.was_follow_up:
            return before.intent
        offered = script.by_name.get(before.intent.offers)
        topic = offered or topic
    if topic.role is IntentRole.BACK and before and before.intent.role is IntentRole.PLAIN and not before.was_follow_up:
        return before.intent
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
