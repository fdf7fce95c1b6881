"""The text front end: from what a reply says to what a voice speaks. Pure functions; knows no engine and no audio."""

from __future__ import annotations

from tts.text.duration import expected_duration_s
from tts.text.plan import PlanMode, Segment, UtterancePlan, plan_utterance

__all__ = ["PlanMode", "Segment", "UtterancePlan", "expected_duration_s", "plan_utterance"]
