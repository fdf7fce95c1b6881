"""XTTS v2 by coqui-tts. Must not know other engines."""

from tts.engines.xtts.engine import CPML, XttsEngine

__all__ = ["CPML", "XttsEngine"]
