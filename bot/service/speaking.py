"""Makes the voice note of one part, has it certified and keeps it. Whatever prevents that turns the part into text."""

from __future__ import annotations

from collections.abc import Sequence

from bot.outbox import Part, Spoken, VoiceGivenUp
from bot.record import TurnRecord, VoiceAttempt
from bot.service.dependencies import Dependencies
from bot.service.telling import tell_given_up, tell_spoken
from tts.contract import Attempt, VoiceNote
from tts.errors import DeadlineExceeded, NoVoice, TtsError


async def speak(
    d: Dependencies, record: TurnRecord, index: int, *, deadline_s: float
) -> tuple[Spoken | VoiceGivenUp, tuple[VoiceAttempt, ...]]:
    """Speak part `index` of the turn within `deadline_s`: what came of it, and which engines were tried on the way.

    A deadline of 0 or less means that the part has none of its own.
    """
    tried: tuple[Attempt, ...] = ()
    try:
        with d.metrics.stage_s.labels("speak").time():
            note = await _note(d, record, record.turn.parts[index], deadline_s)
        tried = note.attempts
        await d.notary.certify(note, turn_id=record.turn.id)
        blob_id = await d.blobs.put(note.data)
    except (TtsError, OSError) as error:  # OSError: no room for the note
        attempts = _kept(index, tried or _tried(error))
        tell_given_up(error, attempts, d.metrics)
        return VoiceGivenUp(index, type(error).__name__), attempts
    attempts = _kept(index, tried)
    tell_spoken(note, attempts, d.metrics)
    return Spoken(index, blob_id, note.duration_s), attempts


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


def _tried(error: Exception) -> tuple[Attempt, ...]:
    """Who was asked before nobody could speak, or before the time was over."""
    return error.attempts if isinstance(error, NoVoice | DeadlineExceeded) else ()


def _kept(index: int, attempts: Sequence[Attempt]) -> tuple[VoiceAttempt, ...]:
    return tuple(
        VoiceAttempt(
            part=index,
            engine=attempt.engine,
            outcome=attempt.outcome,
            reason=attempt.reason,
            latency_s=round(attempt.latency_s, 3),
        )
        for attempt in attempts
    )
