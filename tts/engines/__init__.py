"""The engines this code base knows, by name. Adding one is adding a line to `ENGINES`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tts.contract import Engine
from tts.engines.espeak import EspeakEngine
from tts.engines.kokoro import KokoroEngine
from tts.settings import EngineName, TtsSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEntry:
    """How to make an engine, and the device whose one thread owns it. `make` gives None when it is not configured."""

    make: Callable[[TtsSettings], Engine | None]
    device: str


def _kokoro(settings: TtsSettings) -> Engine:
    return KokoroEngine(threads=settings.kokoro_threads, model_path=settings.kokoro_model_path)


def _espeak(_settings: TtsSettings) -> Engine:
    return EspeakEngine()


ENGINES: dict[EngineName, EngineEntry] = {
    EngineName.KOKORO: EngineEntry(make=_kokoro, device="cpu-kokoro"),
    EngineName.ESPEAK: EngineEntry(make=_espeak, device="cpu-espeak"),
}
