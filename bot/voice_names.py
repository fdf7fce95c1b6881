"""Which names a voice may use in this installation: engines, timbres, styles, languages. Knows settings, no store."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bot.persona import Persona, ReplyMode
from bot.persona_form import LANGUAGE, VOICE_ID
from tts.contract import SourceKind, Voice
from tts.engines import bark, espeak, kokoro, phonemes
from tts.engines.qwen3 import prompts as qwen3
from tts.engines.xtts import text as xtts
from tts.errors import BadVoice
from tts.languages import match_language
from tts.settings import EngineName, TtsSettings
from tts.voices.ids import read_voice_id

Problems = tuple[tuple[str, str], ...]

_TIMBRES = {EngineName.QWEN3: qwen3.TIMBRES, EngineName.BARK: bark.PRESETS}
_STYLES = {EngineName.KOKORO: kokoro.STYLES}
# Which engines can be set up to take a kind of source.
TAKERS = {
    SourceKind.SAMPLE: (EngineName.QWEN3, EngineName.REMOTE, EngineName.XTTS),
    SourceKind.DESIGNED: (EngineName.QWEN3, EngineName.REMOTE, EngineName.XTTS),
    SourceKind.TIMBRE: (EngineName.QWEN3, EngineName.REMOTE, EngineName.XTTS, EngineName.BARK),
    SourceKind.STYLE: (EngineName.REMOTE, EngineName.KOKORO, EngineName.ESPEAK),
}
_LANGUAGES = sorted({*qwen3.LANGUAGES, *xtts.LANGUAGES, *bark.LANGUAGES, *espeak.VOICES, *phonemes.VOICES})
_MOST_LISTED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """`order` are the installation's engines; `unlisted` those of them whose names only their model or server knows."""

    order: tuple[EngineName, ...] = tuple(EngineName)
    unlisted: frozenset[EngineName] = field(default_factory=frozenset)

    def problems(self, voice: Voice) -> Problems:
        """(field path, what is wrong and what would be right) for every name that nothing here knows."""
        known = {name.value for name in EngineName}
        strange = [name for name in voice.engines if name not in known]
        found = (
            [("engines", f"unknown engine {', '.join(strange)}; valid: {', '.join(sorted(known))}")] if strange else []
        )
        order = tuple(EngineName(name) for name in voice.engines if name in known) or self.order
        found += self._language(voice.language, order)
        for path, sources in (("sources", voice.sources), ("stand_in", voice.stand_in)):
            for source in sources:
                if source.kind in {SourceKind.TIMBRE, SourceKind.STYLE}:
                    found += [(path, words) for words in self._name(source.kind, source.ref, order)]
        return tuple(found)

    def check(self, voice: Voice) -> None:
        """Raise BadVoice with every problem, those of the id included."""
        found = (*id_problems(voice.id), *self.problems(voice))
        if found:
            raise BadVoice("; ".join(f"{path}: {problem}" for path, problem in found))

    def persona_problems(self, persona: Persona) -> Problems:
        """The same of a persona, except whether a stored voice is there. One that only writes may use any language."""
        if persona.voice_id:
            try:
                read_voice_id(persona.voice_id, timbres=qwen3.TIMBRES)
            except BadVoice as error:
                return (("voice", str(error)),)
            return ()
        found = self.problems(persona.voice)
        if persona.reply_mode is ReplyMode.TEXT:
            return tuple((f"voice.{path}", words) for path, words in found if path != "language")
        return tuple((path if path == "language" else f"voice.{path}", words) for path, words in found)

    def _language(self, language: str, order: tuple[EngineName, ...]) -> list[tuple[str, str]]:
        if not re.match(LANGUAGE, language):
            return [("language", f"{language!r} is no language tag; write it as pt-BR or en")]
        if EngineName.REMOTE in self.unlisted.intersection(order) or match_language(language, _LANGUAGES):
            return []
        return [("language", f"no engine speaks {language!r}; valid: {', '.join(_LANGUAGES)}")]

    def _name(self, kind: SourceKind, ref: str, order: tuple[EngineName, ...]) -> list[str]:
        listed = _TIMBRES if kind is SourceKind.TIMBRE else _STYLES
        # espeak stands in for any style, whatever its name
        if self.unlisted.intersection(order) or (kind is SourceKind.STYLE and EngineName.ESPEAK in order):
            return []
        valid = [ref for name in order for ref in listed.get(name, ())] or [
            ref for all_ in listed.values() for ref in all_
        ]
        if ref in valid:
            return []
        more = ", …" if len(valid) > _MOST_LISTED else ""
        return [f"unknown {kind} {ref!r}; valid: {', '.join(valid[:_MOST_LISTED])}{more}"]


def known_names(settings: TtsSettings) -> Names:
    """The names of an installation."""
    unlisted = {
        EngineName.REMOTE: bool(settings.qwen3_api_url),
        EngineName.XTTS: settings.xtts_model is not None,
    }
    return Names(order=settings.tts_engines, unlisted=frozenset(name for name, is_so in unlisted.items() if is_so))


def id_problems(voice_id: str) -> Problems:
    """Why a stored voice cannot have this id."""
    if not re.match(VOICE_ID, voice_id):
        words = "use lower-case letters, digits and hyphens, 40 at most, and begin with a letter or digit"
        return (("id", f"{voice_id!r} is no voice id; {words}"),)
    if voice_id.startswith("qwen3-"):
        return (("id", f"{voice_id!r}: ids that begin with qwen3- name timbres and clones; choose another"),)
    return ()
