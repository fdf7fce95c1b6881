"""A note's segments as takes that the gate accepts. Must not know breakers, profiles, other engines or notes.

A segment whose take is refused is spoken again with another seed, then in two parts; the rest of the note keeps what it
has.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tts.audio.pace import at_pace
from tts.audio.pcm import fade_edges, join, trim_edges
from tts.batching import Batcher
from tts.contract import EngineInfo, PcmAudio, Utterance
from tts.errors import EngineFailed, EngineOverloaded, TakeRejected
from tts.gate import Check, Scores, worst_scores
from tts.text.halves import halves
from tts.text.sentences import CLAUSE_PAUSE_MS, has_word

_BACKOFF_S = 0.2
_SHORTEST_PARTED_S = 2.0  # a shorter segment would fall into words


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A spoken segment that the gate accepted; `refused` says why earlier takes of it were not. Times in seconds."""

    audio: PcmAudio
    queue_s: float
    gate_s: float
    batch_size: int
    scores: Scores
    refused: tuple[str, ...] = ()


class TakeMaker:
    """Gets accepted takes of one engine from its queue, at most `takes` tries each."""

    def __init__(
        self,
        batcher: Batcher,
        *,
        gate: Check,
        takes: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._batcher = batcher
        self._gate = gate
        self._takes = takes
        self._clock = clock
        self._sleep = sleep

    async def segments(self, utterances: Sequence[Utterance], info: EngineInfo) -> list[Segment]:
        """Every segment at its voice's pace, in order. Raises the error of the first that failed."""
        group = uuid.uuid4().hex
        if not info.paces:
            utterances = [replace(said, expected_s=said.expected_s * said.voice.speed) for said in utterances]

        async def speak(utterance: Utterance) -> Segment:
            return await self._segment(utterance, info, group)

        done = await _together(utterances, speak)
        if info.paces:
            return done
        return await asyncio.to_thread(_all_at_pace, done, [said.voice.speed for said in utterances])

    async def accepted(self, audio: PcmAudio, utterance: Utterance) -> Scores:
        """The scores of a take that passes the gate. Raises TakeRejected."""
        verdict = await self._gate.judge(audio, utterance)
        if not verdict.passed:
            raise TakeRejected("; ".join(verdict.reasons))
        return verdict.scores

    async def _segment(self, utterance: Utterance, info: EngineInfo, group: str) -> Segment:
        """One segment's first accepted take; when none is, the segment in two parts."""
        refused: list[str] = []
        try:
            return await self._take(utterance, info, group, refused)
        except TakeRejected:
            parts = _parted(utterance)
            if not parts:
                raise

        async def speak(part: Utterance) -> Segment:
            return await self._take(part, info, group, [])

        done = await _together(parts, speak)
        return Segment(
            audio=join([fade_edges(trim_edges(part.audio)) for part in done], [CLAUSE_PAUSE_MS] * len(done)),
            queue_s=min(part.queue_s for part in done),
            gate_s=sum(part.gate_s for part in done),
            batch_size=max(part.batch_size for part in done),
            scores=worst_scores(part.scores for part in done),
            refused=(*refused, *(reason for part in done for reason in part.refused)),
        )

    async def _take(self, utterance: Utterance, info: EngineInfo, group: str, refused: list[str]) -> Segment:
        """The first accepted take; `refused` gathers why others were not.

        A take that must fail again the same way is not repeated.
        """
        for take in range(self._takes):
            try:
                spoken = await self._batcher.submit(_reseeded(utterance, take), group=group)
                started_s = self._clock()
                scores = await self.accepted(spoken.audio, utterance)
                return Segment(
                    audio=spoken.audio,
                    queue_s=spoken.queue_s,
                    gate_s=self._clock() - started_s,
                    batch_size=spoken.batch_size,
                    scores=scores,
                    refused=tuple(refused),
                )
            except TakeRejected as error:
                refused.append(str(error))
                if info.deterministic or take + 1 == self._takes:
                    raise
            except EngineOverloaded:
                raise
            except EngineFailed as error:
                if not error.retryable or take + 1 == self._takes:
                    raise
                await self._sleep(_BACKOFF_S * 2**take * random.uniform(0.75, 1.25))
        raise AssertionError("every take returns or raises")


async def _together(
    utterances: Sequence[Utterance], speak: Callable[[Utterance], Coroutine[Any, Any, Segment]]
) -> list[Segment]:
    """All spoken at once. Raises the error of the first that failed, and stops the others."""
    try:
        async with asyncio.TaskGroup() as together:
            tasks = [together.create_task(speak(utterance)) for utterance in utterances]
    except ExceptionGroup as errors:
        error = errors.exceptions[0]
        raise error from error.__cause__
    return [task.result() for task in tasks]


def _all_at_pace(segments: Sequence[Segment], speeds: Sequence[float]) -> list[Segment]:
    return [
        replace(segment, audio=at_pace(segment.audio, speed)) for segment, speed in zip(segments, speeds, strict=True)
    ]


def _reseeded(utterance: Utterance, take: int) -> Utterance:
    """The first take keeps its seed (or its lack of one); later takes get seeds that follow from it."""
    return utterance if take == 0 else replace(utterance, seed=(utterance.seed or 0) + take)


def _parted(utterance: Utterance) -> tuple[Utterance, ...]:
    """The utterance in two, each with its share of the expected length; none when it is too short for that."""
    parts = halves(utterance.text) if utterance.expected_s >= _SHORTEST_PARTED_S else None
    if parts is None or not all(has_word(part) for part in parts):
        return ()
    letters = sum(map(len, parts))
    return tuple(replace(utterance, text=part, expected_s=utterance.expected_s * len(part) / letters) for part in parts)
