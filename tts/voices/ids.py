"""Voice ids that say by themselves who speaks: `qwen3-{timbre}` and `qwen3-clone-{id}`. Pure; knows no store or engine.

Every other id is a stored voice's own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tts.contract import SourceKind, Voice, VoiceSource
from tts.errors import BadVoice

_QWEN3 = "qwen3"
_PREFIX = f"{_QWEN3}-"
_CLONE = f"{_PREFIX}clone-"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimbreId:
    """A speaker that Qwen3-TTS was trained with."""

    timbre: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredId:
    """A stored voice. `engine` is the only one that may speak it, where the id names one."""

    voice_id: str
    engine: str = ""


def read_voice_id(text: str, *, timbres: Collection[str]) -> TimbreId | StoredId:
    """Who an id means; letter case makes no difference to a timbre.

    Raises BadVoice for an unknown timbre, with the valid ones listed, and for an id that names nobody.
    """
    voice_id = text.strip()
    if voice_id.lower().startswith(_CLONE):
        voice_id = voice_id[len(_CLONE) :]
        if not voice_id:
            raise BadVoice(f"{text!r} names no voice; write {_CLONE} and the voice's id")
        return StoredId(voice_id=voice_id, engine=_QWEN3)
    if voice_id.lower().startswith(_PREFIX):
        timbre = voice_id[len(_PREFIX) :].lower()
        if timbre not in timbres:
            valid = ", ".join(sorted(f"{_PREFIX}{name}" for name in timbres)) or "none here"
            raise BadVoice(f"unknown timbre {text!r}; valid: {valid}")
        return TimbreId(timbre=timbre)
    if not voice_id:
        raise BadVoice("a voice id is missing")
    return StoredId(voice_id=voice_id)


def timbre_voice(timbre: str, *, language: str, prompt: str = "") -> Voice:
    """The voice behind `qwen3-{timbre}`; `prompt` tells the speaker how, where the model takes that."""
    source = VoiceSource(kind=SourceKind.TIMBRE, ref=timbre)
    return Voice(id=f"{_PREFIX}{timbre}", language=language, prompt=prompt, sources=(source,), engines=(_QWEN3,))


def clone_id(voice_id: str) -> str:
    """The id by which a stored voice is spoken by Qwen3-TTS and nobody else."""
    return f"{_CLONE}{voice_id}"
