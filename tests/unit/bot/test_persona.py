from __future__ import annotations

import dataclasses

import pytest
import yaml

from bot.persona import BadPersona, ReplyMode, dump_persona, parse_persona, shipped_personas
from tts.contract import SourceKind

BY_FORM = {"told", "told_long", "comfort", "answer", "emoji"}
SMALL = """
id: ana
name: Ana
language: pt-BR
system_prompt: Você é Ana.
greeting: Oi!
disclosure: Sou uma IA.
voice: {stand_in: [{kind: style, ref: jm_kumo}]}
fallbacks: [Como assim]
"""


def changed(**fields: object) -> str:
    return yaml.safe_dump(yaml.safe_load(SMALL) | fields)


def problems(document: str | bytes) -> dict[str, str]:
    with pytest.raises(BadPersona) as caught:
        parse_persona(document)
    return dict(caught.value.problems)


def test_a_small_file_is_a_persona_with_the_documented_defaults() -> None:
    persona = parse_persona(SMALL)
    assert (persona.reply_mode, persona.max_spoken_s, persona.version) == (ReplyMode.VOICE, 30.0, 1)
    assert persona.voice.stand_in[0].kind is SourceKind.STYLE


@pytest.mark.parametrize("persona", shipped_personas(), ids=lambda persona: persona.id)
def test_dumping_and_parsing_gives_the_same_persona(persona: object) -> None:
    assert parse_persona(dump_persona(persona)) == persona  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "path", "cure"),
    [
        ({"id": "Ana Maria"}, "id", "pattern"),
        ({"colour": "red"}, "colour", "not permitted"),
        ({"description": "x" * 73}, "description", "72"),
        ({"max_spoken_s": 1}, "max_spoken_s", "greater than or equal to 3"),
        ({"reply_mode": "song"}, "reply_mode", "'voice', 'text', 'mirror' or 'both'"),
        ({"timezone": "Mars/Olympus"}, "timezone", "America/Sao_Paulo"),
        ({"fallbacks": []}, "fallbacks", "at least 1"),
        ({"fallbacks": ["Oi {nome}"]}, "fallbacks.0", "{name}"),
        ({"fallbacks": ["Oi {name}"]}, "document", "unknown"),
        ({"voice": {"sources": [{"kind": "style", "ref": "a", "weight": -1}]}}, "voice.sources.0.weight", "equal to 0"),
        ({"voice": {"sources": [{"kind": "style", "ref": "a", "weight": 0}]}}, "voice.sources", "above 0"),
        ({"voice": {"sources": [{"kind": "hum", "ref": "a"}]}}, "voice.sources.0.kind", "'sample'"),
        ({"intents": [{"name": "a", "examples": ["x"], "replies": ["{name}"]}]}, "intents.0", "name is unknown"),
        ({"intents": [{"name": "a", "examples": ["x"], "replies": ["y"], "offers": "b"}]}, "document", "offers b"),
        ({"intents": [{"name": "a", "replies": ["y"]}]}, "intents.0", "no examples"),
        ({"intents": [{"name": "a", "examples": ["x"], "replies": ["y"]}] * 2}, "document", "twice: a"),
        (
            {"intents": [{"name": "a", "examples": ["x"], "replies": ["y", "z"], "follow_ups": ["w"]}]},
            "intents.0",
            "one by one",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_field_and_cure(fields: dict[str, object], path: str, cure: str) -> None:
    found = problems(changed(**fields))
    assert cure in found[path]


@pytest.mark.parametrize("document", ["", "- a\n- b", "id: [", b"\xff\xfe\x00"])
def test_what_is_no_mapping_is_refused_as_a_document(document: str | bytes) -> None:
    assert "document" in problems(document)


def test_the_shipped_personas_speak_the_two_languages_with_distinct_voices() -> None:
    personas = shipped_personas()
    assert {persona.language for persona in personas} == {"pt-BR", "en"}
    assert len({persona.voice.stand_in for persona in personas}) == len(personas)


@pytest.mark.parametrize("persona", shipped_personas(), ids=lambda persona: persona.id)
def test_every_shipped_intent_has_enough_examples_and_replies(persona: object) -> None:
    thin = [
        intent.name
        for intent in persona.intents  # type: ignore[attr-defined]
        if (len(intent.examples) < 6 and intent.role not in BY_FORM) or len(intent.replies) < 3
    ]
    assert thin == []


@pytest.mark.parametrize("persona", shipped_personas(), ids=lambda persona: persona.id)
def test_every_shipped_reply_can_be_said_in_the_personas_time(persona: object) -> None:
    chars_per_second = 15
    longest = max(len(reply) for intent in persona.intents for reply in intent.replies)  # type: ignore[attr-defined]
    assert longest <= persona.max_spoken_s * chars_per_second  # type: ignore[attr-defined]


def test_a_persona_cannot_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        parse_persona(SMALL).name = "Eva"  # type: ignore[misc]
