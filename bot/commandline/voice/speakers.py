"""Says who really speaks with a voice: what it is made of, or its stand-in and why. Loads no engine."""

from __future__ import annotations

from functools import reduce

from bot.voice_names import TAKERS
from tts.contract import EngineInfo, SourceKind, Voice, VoiceNote
from tts.engines import ENGINES
from tts.errors import EngineUnavailable
from tts.languages import match_language
from tts.settings import EngineName, TtsSettings
from tts.voices.mix import stand_in_only, usable_sources

_OWN = {
    SourceKind.SAMPLE: "its recordings",
    SourceKind.DESIGNED: "its designed clip",
    SourceKind.TIMBRE: "its timbre",
    SourceKind.STYLE: "its styles",
}


def speaker_words(voice: Voice, settings: TtsSettings, *, barred: str = "") -> str:
    """Who would speak the voice by the settings; `barred` says why its sources may not be spoken, if so."""
    left = stand_in_only(voice) if barred else voice
    for name in dict.fromkeys(voice.engines or settings.tts_engines):
        info = _info(name, settings)
        if info is None or (info.languages and match_language(voice.language, info.languages) is None):
            continue
        sources = usable_sources(left, info)
        if sources is not None and (barred or sources != voice.sources):
            return f"the stand-in, by {name}: {_why(voice, barred)}"
        if sources is not None:
            return f"{_own_words(voice)}, by {name}"
    return f"nobody: {_why(voice, barred)}, and no engine takes a stand-in of it"


def spoken_words(voice: Voice, note: VoiceNote, *, barred: str = "") -> str:
    """Who spoke the note of the voice, with the reasons of the engines that did not."""
    own = {f"{source.kind}:{source.ref}" for source in voice.sources if source.weight > 0}
    if own and own == set(note.making.sources):
        return f"Spoken by {_own_words(voice)}."
    refused = "; ".join(f"{one.engine}: {one.reason}" for one in note.attempts if one.outcome != "ok")
    return f"Spoken by the stand-in: {_why(voice, barred)}{f' ({refused})' if refused else ''}."


def _own_words(voice: Voice) -> str:
    return " and ".join(words for kind, words in _OWN.items() if kind in _kinds(voice))


def _kinds(voice: Voice) -> frozenset[SourceKind]:
    return frozenset(source.kind for source in voice.sources if source.weight > 0)


def _why(voice: Voice, barred: str) -> str:
    if barred:
        return barred
    if not voice.sources:
        return "the voice is a prompt alone, no clip of it has been designed yet"
    able = reduce(lambda one, other: one & other, (set(TAKERS[kind]) for kind in _kinds(voice)))
    would = " or ".join(sorted(able)) or "none that is known"
    return f"no engine that is ready here speaks {_own_words(voice)}; set up one that would: {would}"


def _info(name: str, settings: TtsSettings) -> EngineInfo | None:
    if name not in settings.tts_engines:
        return None
    entry = ENGINES.get(EngineName(name))
    try:
        engine = entry.make(settings) if entry else None
    except EngineUnavailable:
        return None
    return engine.info if engine else None
