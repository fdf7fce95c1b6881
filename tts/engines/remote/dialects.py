"""What each dialect can say and how it says it: a table of facts, and requests built from it. No I/O, no choice.

A voice reaches `openai` servers as one name, `vllm-omni` servers as one name or one reference clip, `recado` servers
whole. A blend of several sources exists only as an embedding, which neither of the first two is sent.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tts.contract import EngineInfo, SourceKind, Utterance, Voice
from tts.engines.remote.pack import RECORDED, Pack
from tts.engines.remote.wire import (
    Body,
    OmniBatch,
    OmniItem,
    OmniSpeech,
    OpenAiSpeech,
    RecadoBatch,
    RecadoItem,
    RecadoSpeech,
    RecadoVoice,
    SourceBody,
)
from tts.languages import match_language
from tts.speech_address import Dialect

SAMPLE_RATE_HZ = 24_000
NAME = "remote"

# Qwen3-TTS's languages, named as vLLM-Omni and SGLang-Omni want them.
LANGUAGE_NAMES = {
    "zh": "Chinese",
    "en": "English",
    "de": "German",
    "it": "Italian",
    "pt": "Portuguese",
    "es": "Spanish",
    "ja": "Japanese",
    "ko": "Korean",
    "fr": "French",
    "ru": "Russian",
}
_FRAMES_PER_S = 12.5
_LONGEST_RATIO, _SLACK_S = 2.2, 0.8  # as the gate allows: what is longer would be thrown away
_SPEED_RANGE = (0.25, 4.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DialectFacts:
    """What holds for every server of a dialect. `batch_max` 1 means that texts are asked one by one."""

    languages: frozenset[str] = frozenset()
    source_kinds: frozenset[SourceKind]
    blends: bool = False
    designs: bool = False
    batch_max: int = 1


DIALECTS: dict[Dialect, DialectFacts] = {
    Dialect.OPENAI: DialectFacts(source_kinds=frozenset({SourceKind.TIMBRE})),
    Dialect.VLLM_OMNI: DialectFacts(
        languages=frozenset(LANGUAGE_NAMES), source_kinds=frozenset(RECORDED), batch_max=32
    ),
    Dialect.RECADO: DialectFacts(source_kinds=frozenset(SourceKind), blends=True, designs=True, batch_max=32),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """One utterance of a batch, by its index there, and the sources it is spoken with."""

    index: int
    utterance: Utterance
    pack: Pack


def server_info(dialect: Dialect, model: str) -> EngineInfo:
    """The capabilities of one server. A vLLM-Omni server does one of three tasks, told by its model's name.

    An unknown name counts as cloning: that is what the other models served so do, given a reference.
    """
    facts = DIALECTS[dialect]
    info = EngineInfo(
        name=NAME,
        model=model or dialect.value,
        licence="that of the model the server runs",
        languages=facts.languages,
        sample_rate_hz=SAMPLE_RATE_HZ,
        max_batch=32,
        source_kinds=facts.source_kinds,
        designs=facts.designs,
    )
    if dialect is not Dialect.VLLM_OMNI:
        return info
    match _task(model):
        case "CustomVoice":
            return replace(info, source_kinds=frozenset({SourceKind.TIMBRE}))
        case "VoiceDesign":
            return replace(info, source_kinds=frozenset(), designs=True)
        case _:
            return info


def refusal(dialect: Dialect, info: EngineInfo, sources: Sequence[SourceBody], language: str) -> str:
    """Why a server of this dialect cannot speak so; empty when it can."""
    if info.languages and match_language(language, info.languages) is None:
        return f"does not speak {language}; valid: {', '.join(sorted(info.languages))}"
    if not sources:
        return "takes no voice that is a prompt alone"
    if len(sources) > 1 and not DIALECTS[dialect].blends:
        return f"takes one source, and a blend of {len(sources)} exists only as an embedding"
    strange = sorted({source.kind for source in sources} - info.source_kinds)
    if strange:
        return f"takes {', '.join(sorted(info.source_kinds)) or 'no sources'}, not {', '.join(strange)}"
    return ""


def sharing_key(dialect: Dialect, job: Job) -> object:
    """Jobs of equal keys may go into one batch call."""
    if DIALECTS[dialect].batch_max == 1:
        return job.index
    if dialect is Dialect.VLLM_OMNI:
        # Its batches have no seeds, and one reference for all.
        return job.index if job.utterance.seed is not None else (job.utterance.voice.prompt, job.pack.sources)
    return None


def speech_body(dialect: Dialect, job: Job, *, model: str, whole: bool = False) -> Body:
    """The request for one text. `model` goes to `openai` servers; `whole` sends recordings beside their profile."""
    utterance, voice = job.utterance, job.utterance.voice
    match dialect:
        case Dialect.OPENAI:
            return OpenAiSpeech(
                input=utterance.text,
                model=model or None,
                voice=job.pack.sources[0].ref,
                instructions=voice.prompt or None,
                speed=_speed(voice),
            )
        case Dialect.VLLM_OMNI:
            return OmniSpeech(
                input=utterance.text,
                language=language_name(utterance.language),
                max_new_tokens=token_limit(utterance.expected_s),
                seed=utterance.seed,
                speed=_speed(voice),
                **_omni_voice(job),
            )
        case Dialect.RECADO:
            return RecadoSpeech(
                input=utterance.text,
                language=utterance.language,
                voice=recado_voice(voice, job.pack, whole=whole),
                expected_s=utterance.expected_s,
                seed=utterance.seed,
            )


def batch_body(dialect: Dialect, jobs: Sequence[Job], *, whole: bool = False) -> Body:
    """The request for several texts of equal `sharing_key`; not for dialects without batches."""
    if dialect is Dialect.VLLM_OMNI:
        items = tuple(
            OmniItem(
                input=job.utterance.text,
                language=language_name(job.utterance.language),
                max_new_tokens=token_limit(job.utterance.expected_s),
                speed=_speed(job.utterance.voice),
            )
            for job in jobs
        )
        return OmniBatch(items=items, **_omni_voice(jobs[0]))
    voices: list[RecadoVoice] = []
    for job in jobs:
        voice = recado_voice(job.utterance.voice, job.pack, whole=whole)
        if voice not in voices:
            voices.append(voice)
    return RecadoBatch(
        voices=tuple(voices),
        items=tuple(
            RecadoItem(
                input=job.utterance.text,
                language=job.utterance.language,
                voice=voices.index(recado_voice(job.utterance.voice, job.pack, whole=whole)),
                expected_s=job.utterance.expected_s,
                seed=job.utterance.seed,
            )
            for job in jobs
        ),
    )


def design_body(dialect: Dialect, prompt: str, *, text: str, language: str, seed: int, expected_s: float) -> Body:
    """The request for a clip in the voice that `prompt` describes."""
    if dialect is Dialect.VLLM_OMNI:
        return OmniSpeech(
            input=text,
            task_type="VoiceDesign",
            instructions=prompt,
            language=language_name(language),
            max_new_tokens=token_limit(expected_s),
            seed=seed,
        )
    voice = RecadoVoice(id="design", version=1, language=language, prompt=prompt, seed=seed)
    return RecadoSpeech(input=text, language=language, voice=voice, expected_s=expected_s, seed=seed)


def recado_voice(voice: Voice, packed: Pack, *, whole: bool) -> RecadoVoice:
    """The voice as Recado servers take it; without recordings where a profile stands for them."""
    sources = packed.sources
    if packed.profile is not None and not whole:
        sources = tuple(source.model_copy(update={"audio": None, "transcript": None}) for source in sources)
    return RecadoVoice(
        id=voice.id,
        version=voice.version,
        language=voice.language,
        prompt=voice.prompt,
        speed=voice.speed,
        seed=voice.seed,
        sources=sources,
        profile=None if whole else packed.profile,
    )


def language_name(tag: str) -> str:
    """Qwen3-TTS's name of a language, "Auto" for one it does not know."""
    return LANGUAGE_NAMES.get(tag.replace("_", "-").partition("-")[0].lower(), "Auto")


def token_limit(expected_s: float) -> int:
    """Frames of 80 ms that the longest acceptable take has; one more, because the last token ends the speech."""
    return math.ceil((expected_s * _LONGEST_RATIO + _SLACK_S) * _FRAMES_PER_S) + 1


def _omni_voice(job: Job) -> dict[str, str | bool | None]:
    source = job.pack.sources[0]
    if source.audio is None:
        return {"task_type": "CustomVoice", "voice": source.ref, "instructions": job.utterance.voice.prompt or None}
    return {
        "task_type": "Base",
        "ref_audio": "data:audio/wav;base64," + base64.b64encode(source.audio).decode("ascii"),
        "ref_text": source.transcript,
        "x_vector_only_mode": source.transcript is None,
    }


def _task(model: str) -> str:
    lowered = model.lower()
    return next((task for task in ("CustomVoice", "VoiceDesign") if task.lower() in lowered), "Base")


def _speed(voice: Voice) -> float | None:
    """Left out at the server's own pace: some take no other."""
    lowest, highest = _SPEED_RANGE
    return None if voice.speed == 1.0 else min(highest, max(lowest, voice.speed))
