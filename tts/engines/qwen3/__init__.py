"""Qwen3-TTS 12 Hz: VoiceDesign, Base and CustomVoice behind one engine. Must not know other engines."""

from tts.engines.qwen3.engine import Qwen3Choices, Qwen3Engine
from tts.engines.qwen3.models import Checkpoints, Placement, Size

__all__ = ["Checkpoints", "Placement", "Qwen3Choices", "Qwen3Engine", "Size"]
