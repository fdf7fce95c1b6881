"""The engines this code base knows, by name. Adding one is adding a line to `ENGINES`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tts.contract import Engine
from tts.engines.espeak import EspeakEngine
from tts.engines.kokoro import KokoroEngine
from tts.engines.xtts import CPML, XttsEngine
from tts.errors import EngineUnavailable
from tts.settings import EngineName, TtsSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEntry:
    """How to make an engine, and the device whose one thread owns it.

    `make` gives None when it is not configured, and raises EngineUnavailable when only a setting is missing for that.
    """

    make: Callable[[TtsSettings], Engine | None]
    device: str


def _kokoro(settings: TtsSettings) -> Engine:
    return KokoroEngine(threads=settings.kokoro_threads, model_path=settings.kokoro_model_path)


def _espeak(_settings: TtsSettings) -> Engine:
    return EspeakEngine()


def _xtts(settings: TtsSettings) -> Engine | None:
    if settings.xtts_model is None:
        return None
    if not settings.xtts_accept_cpml:
        raise EngineUnavailable(
            f"XTTS v2's weights are under the {CPML}: non-commercial use only, of the model and of what it speaks. "
            "Set XTTS_ACCEPT_CPML=true to accept it"
        )
    return XttsEngine(
        model=settings.xtts_model, cache_dir=settings.model_cache_dir / "hub", device=settings.xtts_device
    )


ENGINES: dict[EngineName, EngineEntry] = {
    EngineName.XTTS: EngineEntry(make=_xtts, device="gpu"),
    EngineName.KOKORO: EngineEntry(make=_kokoro, device="cpu-kokoro"),
    EngineName.ESPEAK: EngineEntry(make=_espeak, device="cpu-espeak"),
}
