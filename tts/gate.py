"""Judges a take before anybody hears it. Must not know engines, notes or what the checks do.

The scores go into the note's record, so that a limit can be tuned by what was heard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tts.contract import PcmAudio, Utterance

Scores = tuple[tuple[str, float], ...]

_WORST_IS_LEAST = frozenset({"level_dbfs", "similarity", "own_similarity"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`reasons` is empty for a take that passes; the scores are kept either way."""

    reasons: tuple[str, ...] = ()
    scores: Scores = ()

    @property
    def passed(self) -> bool:
        """Whether the take may be heard."""
        return not self.reasons


class Check(Protocol):
    """Listens to a take for one kind of fault. What it cannot tell is no fault: no reason, and no score."""

    async def judge(self, audio: PcmAudio, utterance: Utterance) -> Verdict:
        """The verdict on the take of one segment."""
        ...


class Gate:
    """A check made of checks, cheapest first: those after a refusal are not asked."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = tuple(checks)

    async def judge(self, audio: PcmAudio, utterance: Utterance) -> Verdict:
        """The first refusal, or the passing verdict of all; with the scores of every check asked."""
        scores: Scores = ()
        for check in self._checks:
            verdict = await check.judge(audio, utterance)
            scores += verdict.scores
            if not verdict.passed:
                return Verdict(reasons=verdict.reasons, scores=scores)
        return Verdict(scores=scores)


def worst_scores(takes: Iterable[Scores]) -> Scores:
    """Of each score the worst among the takes, in the order they first come."""
    worst: dict[str, float] = {}
    for scores in takes:
        for name, value in scores:
            known = worst.get(name, value)
            worst[name] = min(known, value) if name in _WORST_IS_LEAST else max(known, value)
    return tuple(worst.items())
