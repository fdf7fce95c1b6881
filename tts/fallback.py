"""Which engines may speak a voice, in which order, and why the others may not. Pure: no engine, no clock.

The one rule above all: a voice is never spoken by an engine that would make a stranger's voice of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tts.breaker import BreakerState
from tts.contract import Attempt, EngineInfo, Voice
from tts.errors import BadVoice
from tts.languages import match_language
from tts.voices.mix import NAMED, normalised, usable_sources

SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineView:
    """What the choice knows of an engine: its capabilities, or the reason it cannot serve, and its breaker."""

    info: EngineInfo | None
    unavailable: str = ""
    breaker: BreakerState = BreakerState.CLOSED
    allowed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Engines to ask in order, and those left out with the reason."""

    candidates: tuple[str, ...]
    skipped: tuple[Attempt, ...]


def choose_engines(
    voice: Voice, language: str, *, installed: Sequence[str], views: Mapping[str, EngineView], barred: str = ""
) -> Choice:
    """The order of the voice, else of the installation, without the engines that cannot or must not speak it.

    `barred` says why the voice's own sources may not be spoken (no consent): then `voice` is what is left of it, its
    stand-in, and that reason is given for engines that cannot use it.
    """
    candidates: list[str] = []
    skipped: list[Attempt] = []
    for name in dict.fromkeys(voice.engines or installed):
        reason = _refusal(voice, language, views.get(name), barred) if name in installed else "not in TTS_ENGINES"
        if reason:
            skipped.append(Attempt(engine=name, outcome=SKIPPED, reason=reason))
        else:
            candidates.append(name)
    return Choice(candidates=tuple(candidates), skipped=tuple(skipped))


def _refusal(voice: Voice, language: str, view: EngineView | None, barred: str) -> str:
    """Why the engine is left out; empty when it is not."""
    if view is None or view.info is None:
        return view.unavailable if view else "not configured"
    if view.unavailable:
        return view.unavailable
    info = view.info
    if info.languages and match_language(language, info.languages) is None:
        return f"does not speak {language}; valid: {', '.join(sorted(info.languages))}"
    sources = usable_sources(voice, info)
    if sources is None:
        return barred or _strangeness(voice, info)
    if sources:
        try:
            normalised(sources)
        except BadVoice as error:
            return str(error)
    if not view.allowed:
        return f"breaker {view.breaker}: it failed too often"
    return ""


def _strangeness(voice: Voice, info: EngineInfo) -> str:
    if not voice.sources:
        also = ", and no stand-in fits" if voice.stand_in else ""
        return f"the voice is a prompt alone, no clip of it has been designed yet{also}"
    own = [source for source in voice.sources if source.weight > 0]
    unknown = sorted({source.ref for source in own if source.kind in NAMED and source.ref not in info.names})
    if own and info.names and unknown and all(source.kind in info.source_kinds for source in own):
        return f"has no {own[0].kind} named {', '.join(unknown)}; valid: {', '.join(info.names)}"
    takes = ", ".join(sorted(info.source_kinds)) or "no sources"
    wants = ", ".join(sorted({source.kind for source in own})) or "a designed clip"
    return f"would be a stranger's voice: it needs {wants}, the engine takes {takes}, and no stand-in fits"
