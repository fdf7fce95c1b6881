"""What operators read of a note, or of none: one line in the log, and metrics. Never what is said in it."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from bot.metrics import Metrics
from bot.record import VoiceAttempt
from tts.contract import VoiceNote
from tts.fallback import SKIPPED

log = structlog.get_logger()


def tell_given_up(error: Exception, attempts: Sequence[VoiceAttempt], metrics: Metrics) -> None:
    """A part becomes text after these attempts."""
    reason = type(error).__name__
    log.warning("no voice, answering in text", reason=reason, error=str(error), attempts=_told(attempts))
    metrics.fallbacks.labels(reason).inc()
    _count_attempts(metrics, attempts)


def tell_spoken(note: VoiceNote, attempts: Sequence[VoiceAttempt], metrics: Metrics) -> None:
    """A note was made after these attempts, is on record and kept."""
    _count_attempts(metrics, attempts)
    _count(metrics, note)
    making = note.making
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
        gate_s=round(note.timings.gate_s, 3),
        encode_s=round(note.timings.encode_s, 3),
        truncated=note.truncated,
        attempts=_told(attempts),
    )


def _told(attempts: Sequence[VoiceAttempt]) -> list[dict[str, str | float]]:
    return [
        {"engine": one.engine, "outcome": one.outcome, "reason": one.reason, "latency_s": one.latency_s}
        for one in attempts
    ]


def _count_attempts(metrics: Metrics, attempts: Sequence[VoiceAttempt]) -> None:
    for attempt in attempts:
        metrics.engine_attempts.labels(attempt.engine, attempt.outcome).inc()
        if attempt.outcome != SKIPPED:
            metrics.attempt_s.labels(attempt.engine).observe(attempt.latency_s)


def _count(metrics: Metrics, note: VoiceNote) -> None:
    making, timings = note.making, note.timings
    metrics.notes.labels(
        engine=note.engine,
        has_sample=str(making.sample_count > 0).lower(),
        sample_count=making.sample_count,
        prompt=making.prompt_mark,
        profile=making.profile,
    ).inc()
    stages = {
        "queue": timings.queue_s,
        "generate": timings.generate_s,
        "gate": timings.gate_s,
        "encode": timings.encode_s,
    }
    for stage, took_s in stages.items():
        metrics.note_s.labels(note.engine, stage).observe(took_s)
    metrics.audio_s.labels(note.engine).inc(note.duration_s)
    metrics.note_bytes.observe(len(note.data))
    if making.gpu_memory_bytes is not None:
        metrics.gpu_memory.set(making.gpu_memory_bytes)
