"""Who answers: a persona as frozen data, its YAML file, and the ones that ship.

    PersonaError            nothing here is retryable: the document has to change
    └── BadPersona          a file that is no persona; names the field and the cure

Knows no store, no channel, no engine and no turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import resources
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import ValidationError

from bot.bounded_yaml import BadYaml, load_yaml
from bot.persona_form import NamedVoiceForm, PersonaForm, SourceForm, VoiceForm
from tts.contract import Voice, VoiceSource


class PersonaError(Exception):
    """Base of what goes wrong with personas."""

    retryable = False


class BadPersona(PersonaError):
    """A document that is no persona. `problems` are (field path, what is wrong and what would be right)."""

    def __init__(self, problems: tuple[tuple[str, str], ...]) -> None:
        super().__init__("; ".join(f"{path}: {problem}" for path, problem in problems))
        self.problems = problems


class ReplyMode(StrEnum):
    """In which form a persona answers."""

    VOICE = "voice"
    TEXT = "text"
    MIRROR = "mirror"  # voice to voice, text to text
    BOTH = "both"


class IntentRole(StrEnum):
    """What an intent does beside having replies."""

    PLAIN = ""
    AGAIN = "again"  # asks for another reply of the intent before
    YES = "yes"  # accepts what the reply before offered
    URGENT = "urgent"  # answered before anything else that was said
    FEELING = "feeling"  # answered before what else was said, but for what is urgent
    COURTESY = "courtesy"  # its first sentence will do where more was said; "another one" never means it
    BACK = "back"  # asks the persona what it has just asked
    TOLD = "told"  # anything that is told and no other intent knows; needs no examples, nor do the next four
    TOLD_LONG = "told_long"  # the same at length
    COMFORT = "comfort"  # the same, after a feeling
    ANSWER = "answer"  # the same in few words, after a question
    EMOJI = "emoji"  # emoji alone that no example shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """Something people say and what is answered.

    `offers` names the intent that a yes to one of these replies leads to. `follow_ups`, one a reply or none at all, is
    what comes next whatever the person guesses (the answer to a riddle). An example with "…" at its end stands for
    everything that goes on like that; one of emoji stands for a message of these alone.
    """

    name: str
    examples: tuple[str, ...]
    replies: tuple[str, ...]
    role: IntentRole = IntentRole.PLAIN
    offers: str = ""
    follow_ups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """Everything a persona is. `endpoints` are the phone_number_ids it is the default of.

    With a `voice_id` it speaks with that stored voice, and `voice` only holds its place. `max_spoken_s` bounds a
    note's length. `version` grows with every stored change.
    """

    id: str
    name: str
    language: str
    system_prompt: str
    voice: Voice
    greeting: str
    disclosure: str
    fallbacks: tuple[str, ...]
    intents: tuple[Intent, ...] = ()
    description: str = ""
    reply_mode: ReplyMode = ReplyMode.VOICE
    max_spoken_s: float = 30.0
    timezone: str = "UTC"
    endpoints: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    lexicon: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    llm_temperature: float = 0.8
    llm_max_tokens: int | None = None
    voice_id: str = ""
    version: int = 1


ALIASES_MAX = 100


def parse_persona(document: bytes | str) -> Persona:
    """A persona from its YAML file; raises BadPersona with the field's path and the cure."""
    try:
        loaded = load_yaml(document, aliases_max=ALIASES_MAX)
    except BadYaml as error:
        raise BadPersona((("document", str(error)),)) from error
    if not isinstance(loaded, dict):
        raise BadPersona((("document", "a persona file is a mapping with id, name, language and so on"),))
    try:
        form = PersonaForm.model_validate(loaded)
    except ValidationError as error:
        raise BadPersona(problems_of(error)) from error
    return _from_form(form)


def problems_of(error: ValidationError) -> tuple[tuple[str, str], ...]:
    """(field path, what is wrong and what would be right) for every problem of a document."""
    return tuple(
        (
            ".".join(str(step) for step in item["loc"] if step not in _SHAPES) or "document",
            item["msg"].removeprefix("Value error, "),
        )
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    )


_SHAPES = ("named", "written out")  # pydantic names the chosen shape within the path; a person wrote no such field


def dump_persona(persona: Persona) -> str:
    """The YAML file of a persona: `parse_persona` gives the same persona back."""
    document = {
        "id": persona.id,
        "name": persona.name,
        "language": persona.language,
        "description": persona.description,
        "keywords": list(persona.keywords),
        "endpoints": list(persona.endpoints),
        "reply_mode": persona.reply_mode.value,
        "max_spoken_s": persona.max_spoken_s,
        "timezone": persona.timezone,
        "system_prompt": persona.system_prompt,
        "greeting": persona.greeting,
        "disclosure": persona.disclosure,
        "voice": {"id": persona.voice_id} if persona.voice_id else voice_document(persona.voice),
        "lexicon": dict(persona.lexicon),
        "llm": {"temperature": persona.llm_temperature, "max_tokens": persona.llm_max_tokens},
        "intents": [_intent_document(intent) for intent in persona.intents],
        "fallbacks": list(persona.fallbacks),
        "version": persona.version,
    }
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=120)


def shipped_personas() -> tuple[Persona, ...]:
    """The personas that come with the program, by file name."""
    folder = resources.files("bot") / "personas"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    return tuple(parse_persona(file.read_bytes()) for file in files)


def _from_form(form: PersonaForm) -> Persona:
    return Persona(
        id=form.id,
        name=form.name,
        language=form.language,
        description=form.description,
        keywords=tuple(form.keywords),
        endpoints=tuple(form.endpoints),
        reply_mode=ReplyMode(form.reply_mode),
        max_spoken_s=form.max_spoken_s,
        timezone=form.timezone,
        system_prompt=form.system_prompt,
        greeting=form.greeting,
        disclosure=form.disclosure,
        voice=_voice(form),
        voice_id=form.voice.id if isinstance(form.voice, NamedVoiceForm) else "",
        lexicon=MappingProxyType(dict(form.lexicon)),
        llm_temperature=form.llm.temperature,
        llm_max_tokens=form.llm.max_tokens,
        intents=tuple(
            Intent(
                name=intent.name,
                examples=tuple(intent.examples),
                replies=tuple(intent.replies),
                role=IntentRole(intent.role),
                offers=intent.offers,
                follow_ups=tuple(intent.follow_ups),
            )
            for intent in form.intents
        ),
        fallbacks=tuple(form.fallbacks),
        version=form.version,
    )


def _voice(form: PersonaForm) -> Voice:
    if isinstance(form.voice, NamedVoiceForm):
        return Voice(id=form.voice.id, language=form.language)
    return voice_of(form.voice, voice_id=form.id, language=form.language)


def voice_of(form: VoiceForm, *, voice_id: str, language: str) -> Voice:
    """The voice a form describes."""
    return Voice(
        id=voice_id,
        language=language,
        prompt=form.prompt,
        sources=_sources(form.sources),
        stand_in=_sources(form.stand_in),
        speed=form.speed,
        engines=tuple(form.engines),
        seed=form.seed,
        version=form.version,
        must_resemble=form.must_resemble,
    )


def _sources(forms: list[SourceForm]) -> tuple[VoiceSource, ...]:
    return tuple(VoiceSource(kind=form.kind, ref=form.ref, weight=form.weight) for form in forms)


def voice_document(voice: Voice) -> dict[str, Any]:
    """A voice as `voice_of` reads it back, without its id and language."""

    def sources(mix: tuple[VoiceSource, ...]) -> list[dict[str, Any]]:
        return [{"kind": source.kind.value, "ref": source.ref, "weight": source.weight} for source in mix]

    return {
        "prompt": voice.prompt,
        "sources": sources(voice.sources),
        "stand_in": sources(voice.stand_in),
        "speed": voice.speed,
        "engines": list(voice.engines),
        "seed": voice.seed,
        "version": voice.version,
        "must_resemble": voice.must_resemble,
    }


def _intent_document(intent: Intent) -> dict[str, Any]:
    document: dict[str, Any] = {"name": intent.name}
    if intent.role is not IntentRole.PLAIN:
        document["role"] = intent.role.value
    if intent.offers:
        document["offers"] = intent.offers
    if intent.examples:
        document["examples"] = list(intent.examples)
    document["replies"] = list(intent.replies)
    if intent.follow_ups:
        document["follow_ups"] = list(intent.follow_ups)
    return document
