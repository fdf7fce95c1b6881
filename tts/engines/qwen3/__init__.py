"""Qwen3-TTS 12 Hz: VoiceDesign, Base and CustomVoice behind one engine. Nothing heavy is imported before `load()`."""
