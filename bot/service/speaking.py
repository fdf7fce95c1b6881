"""Makes the voice note of one part, has it certified and keeps it. Whatever prevents that turns the part into text."""

from __future__ import annotations

import structlog

from bot.metrics import Metrics
from bot.outbox import Part, Spoken, VoiceGivenUp
from bot.record import TurnRecord
from bot.service.dependencies import Dependencies
from tts.contract import VoiceNote
from tts.errors import TtsError

log = structlog.get_logger()


async def speak(d: Dependencies, record: TurnRecord, index: int, *, deadline_s: float) -> Spoken | VoiceGivenUp:
    """Speak part `index` of the turn within `deadline_s`; 0 or less means that it has no deadline of its own."""
    try:
        with d.metrics.stage_s.labels("speak").time():
            note = await _note(d, record, record.turn.parts[index], deadline_s)
        await d.notary.certify(note, turn_id=record.turn.id)
        blob_id = await d.blobs.put(note.data)
    except (TtsError, OSError) as error:  # OSError: no room for the note
        reason = type(error).__name__
        log.warning("no voice, answering in text", reason=reason, error=str(error))
        d.metrics.fallbacks.labels(reason).inc()
        return VoiceGivenUp(index, reason)
    _count(d.metrics, note)
    return Spoken(index, blob_id, note.duration_s)


async def _note(d: Dependencies, record: TurnRecord, part: Part, deadline_s: float) -> VoiceNote:
    persona = await d.personas.get(record.aftermath.persona_id)
    if persona is None:
        raise TtsError("the persona of this turn no longer exists")
    # a repair or a replayed turn has no voice deadline of its own; a fresh one is bounded by what is left of it
    return await d.speaker.speak(
        part.text,
        await d.voices.resolve(persona),
        language=record.aftermath.language or persona.language,
        max_spoken_s=persona.max_spoken_s,
        deadline_s=deadline_s if deadline_s > 0 else d.limits.voice_deadline_s,
        lexicon=persona.lexicon,
    )


def _count(metrics: Metrics, note: VoiceNote) -> None:
    for attempt in note.attempts:
        metrics.engine_attempts.labels(attempt.engine, attempt.outcome).inc()
    metrics.engine_s.labels(note.engine).observe(note.timings.generate_s)
    metrics.audio_s.labels(note.engine).inc(note.duration_s)
    metrics.note_bytes.observe(len(note.data))
    making = note.making
    if making.gpu_memory_bytes is not None:
        metrics.gpu_memory.set(making.gpu_memory_bytes)
    log.info(
        "spoken",
        engine=note.engine,
        model=note.model,
        voice=note.voice_id,
        voice_version=note.voice_version,
        segments=len(note.spoken),
        has_sample=making.sample_count > 0,
        sample_count=making.sample_count,
        prompt=making.prompt_mark,
        profile=making.profile,
        batch=making.batch_size,
        gpu_memory_bytes=making.gpu_memory_bytes,
        audio_s=round(note.duration_s, 2),
        note_bytes=len(note.data),
        queue_s=round(note.timings.queue_s, 3),
        generate_s=round(note.timings.generate_s, 3),
        encode_s=round(note.timings.encode_s, 3),
        truncated=note.truncated,
    )
