"""The shape of a persona's YAML file, and what a valid one keeps to. Knows no store and makes no persona.

Whoever edits a persona by hand reads these messages, so each says what is wrong and what would be right.
"""

from __future__ import annotations

import re
import zoneinfo
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from tts.contract import SourceKind

SLOTS = frozenset({"name", "greeting", "persona", "time", "date", "weekday", "place"})
_SLOT = re.compile(r"\{([^{}]*)\}")


def slots_of(text: str) -> frozenset[str]:
    """Names in braces in a reply, `{name}` for one."""
    return frozenset(_SLOT.findall(text))


def _known_slots(text: str) -> str:
    unknown = slots_of(text) - SLOTS
    if unknown or _SLOT.sub("", text).count("{") or _SLOT.sub("", text).count("}"):
        valid = ", ".join(f"{{{name}}}" for name in sorted(SLOTS))
        raise ValueError(f"unknown or unfinished slot; use one of {valid}")
    return text


def _known_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("unknown time zone; use a name such as America/Sao_Paulo or UTC") from error
    return name


VOICE_ID = r"^[a-z0-9][a-z0-9-]{0,39}$"
LANGUAGE = r"^[a-z]{2,3}(-[A-Z]{2})?$"

Line = Annotated[str, Field(min_length=1, max_length=1000)]
Spoken = Annotated[Line, AfterValidator(_known_slots)]
Keyword = Annotated[str, Field(min_length=2, max_length=30)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class SourceForm(_Form):
    """One part of a voice's mix."""

    kind: SourceKind
    ref: Annotated[str, Field(min_length=1, max_length=128)]
    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0


def _some_weight(sources: list[SourceForm]) -> list[SourceForm]:
    if sources and not any(source.weight > 0 for source in sources):
        raise ValueError("every weight is 0; give at least one source a weight above 0")
    return sources


class VoiceForm(_Form):
    """How the persona sounds."""

    prompt: Annotated[str, Field(max_length=2000)] = ""
    sources: Annotated[list[SourceForm], AfterValidator(_some_weight)] = []
    stand_in: Annotated[list[SourceForm], AfterValidator(_some_weight)] = []
    speed: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    engines: list[Annotated[str, Field(min_length=1)]] = []
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    version: Annotated[int, Field(ge=1)] = 1
    must_resemble: bool = False


class NamedVoiceForm(_Form):
    """A stored voice by its id, in place of one written out."""

    id: Annotated[str, Field(pattern=VOICE_ID)]


class StoredVoiceForm(VoiceForm):
    """A whole voice file."""

    id: Annotated[str, Field(pattern=VOICE_ID)]
    language: Annotated[str, Field(pattern=LANGUAGE)]


class LlmForm(_Form):
    """What a chat model is asked with."""

    temperature: Annotated[float, Field(ge=0, le=2)] = 0.8
    max_tokens: Annotated[int, Field(ge=1, le=32_768)] | None = None


_BY_FORM = ("told", "told_long", "comfort", "answer", "emoji")  # roles that go by more than what was said


class IntentForm(_Form):
    """Something people say, and what the persona answers."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    role: Literal[
        "", "again", "yes", "urgent", "feeling", "courtesy", "back", "told", "told_long", "comfort", "answer", "emoji"
    ] = ""
    offers: Annotated[str, Field(max_length=40)] = ""
    examples: Annotated[list[Line], Field(max_length=200)] = []
    replies: Annotated[list[Spoken], Field(min_length=1, max_length=100)]
    follow_ups: list[Spoken] = []

    @model_validator(mode="after")
    def _always_something_to_say(self) -> Self:
        if not self.examples and self.role not in _BY_FORM:
            raise ValueError(f"no examples; give at least one, or one of the roles {', '.join(_BY_FORM)}")
        if all("name" in slots_of(reply) for reply in self.replies):
            raise ValueError("every reply needs {name}; add one for people whose name is unknown")
        if self.follow_ups and len(self.follow_ups) != len(self.replies):
            raise ValueError("follow_ups go with replies one by one; give as many, or none")
        return self


def _voice_shape(value: object) -> str:
    """Which of the two ways to give a voice this is: problems are told for that one only."""
    return (
        "named" if isinstance(value, NamedVoiceForm) or (isinstance(value, dict) and "id" in value) else "written out"
    )


class PersonaForm(_Form):
    """A whole persona file."""

    id: Annotated[str, Field(pattern=VOICE_ID)]
    name: Annotated[str, Field(min_length=1, max_length=24)]
    language: Annotated[str, Field(pattern=LANGUAGE)]
    description: Annotated[str, Field(max_length=72)] = ""
    keywords: list[Keyword] = []
    endpoints: list[Annotated[str, Field(min_length=1, max_length=64)]] = []
    reply_mode: Literal["voice", "text", "mirror", "both"] = "voice"
    max_spoken_s: Annotated[float, Field(ge=3, le=180)] = 30.0
    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    system_prompt: Annotated[str, Field(min_length=1, max_length=8000)]
    greeting: Line
    disclosure: Line
    voice: Annotated[
        Annotated[NamedVoiceForm, Tag("named")] | Annotated[VoiceForm, Tag("written out")], Discriminator(_voice_shape)
    ]
    lexicon: dict[Annotated[str, Field(min_length=1)], Line] = {}
    llm: LlmForm = LlmForm()
    intents: Annotated[list[IntentForm], Field(max_length=300)] = []
    fallbacks: Annotated[list[Spoken], Field(min_length=1, max_length=50)]
    version: Annotated[int, Field(ge=1)] = 1

    @field_validator("voice", mode="before")
    @classmethod
    def _voice_by_name(cls, value: object) -> object:
        return {"id": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _intents_agree(self) -> Self:
        names = [intent.name for intent in self.intents]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"intent names must differ; used twice: {', '.join(doubled)}")
        for intent in self.intents:
            if intent.offers and intent.offers not in names:
                raise ValueError(f"intent {intent.name} offers {intent.offers}, which is no intent of this persona")
        if all("name" in slots_of(reply) for reply in self.fallbacks):
            raise ValueError("every fallback needs {name}; add one for people whose name is unknown")
        return self
