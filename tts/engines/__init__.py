"""The engines this code base knows, by name. Adding one is adding a line to `ENGINES`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tts.contract import Engine
from tts.engines.bark import BarkEngine
from tts.engines.espeak import EspeakEngine
from tts.engines.kokoro import KokoroEngine
from tts.engines.qwen3 import Checkpoints, Placement, Qwen3Choices, Qwen3Engine, Size
from tts.engines.remote import Patience, RemoteEngine
from tts.engines.xtts import CPML, XttsEngine
from tts.errors import EngineUnavailable
from tts.settings import EngineName, TtsSettings

_REMOTE_BATCHES = 4  # under way at once: a slow server holds up its own texts only


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEntry:
    """How to make an engine, and the device whose one thread owns it, or as many as the device is wide.

    `make` gives None when it is not configured, and raises EngineUnavailable when only a setting is missing for that.
    """

    make: Callable[[TtsSettings], Engine | None]
    device: str
    width: int = 1


def _kokoro(settings: TtsSettings) -> Engine:
    return KokoroEngine(threads=settings.kokoro_threads, model_path=settings.kokoro_model_path)


def _remote(settings: TtsSettings) -> Engine | None:
    if not settings.qwen3_api_url:
        return None
    return RemoteEngine(
        settings.qwen3_api_url,
        keys=settings.qwen3_api_keys,
        model=settings.qwen3_api_model,
        patience=Patience(
            connect_s=settings.qwen3_api_connect_timeout_s,
            read_s=settings.qwen3_api_read_timeout_s,
            # A batch that passes its deadline counts as hung and ends the process: a slow server must not do that.
            total_s=min(settings.qwen3_api_timeout_s, settings.tts_batch_deadline_s * 0.9),
        ),
    )


def _bark(settings: TtsSettings) -> Engine | None:
    if settings.bark_model is None:
        return None
    return BarkEngine(
        model=settings.bark_model, cache_dir=settings.model_cache_dir / "hub", device=settings.bark_device
    )


def _espeak(_settings: TtsSettings) -> Engine:
    return EspeakEngine()


def _qwen3(settings: TtsSettings) -> Engine | None:
    named = Checkpoints(
        base=settings.qwen3_base_model, custom=settings.qwen3_custom_model, design=settings.qwen3_design_model
    )
    checkpoints = named.or_published(Size(settings.qwen3_size) if settings.qwen3_size else None)
    if checkpoints == Checkpoints():
        return None
    return Qwen3Engine(
        Qwen3Choices(
            checkpoints=checkpoints,
            placement=Placement(
                device=settings.qwen3_device,
                dtype=settings.qwen3_dtype,
                attention=settings.qwen3_attention,
                cache_dir=settings.model_cache_dir / "hub",
            ),
            max_batch=settings.qwen3_max_batch,
            runaway_factor=settings.qwen3_runaway_factor,
            same_speaker=settings.qwen3_same_speaker,
            icl=settings.qwen3_icl,
            listens=settings.gate_similarity,
        )
    )


def _xtts(settings: TtsSettings) -> Engine | None:
    if settings.xtts_model is None:
        return None
    if not settings.xtts_accept_cpml:
        raise EngineUnavailable(
            f"XTTS v2's weights are under the {CPML}: non-commercial use only, of the model and of what it speaks. "
            "Set XTTS_ACCEPT_CPML=true to accept it"
        )
    return XttsEngine(
        model=settings.xtts_model,
        cache_dir=settings.model_cache_dir / "hub",
        device=settings.xtts_device,
        listens=settings.gate_similarity,
    )


ENGINES: dict[EngineName, EngineEntry] = {
    EngineName.QWEN3: EngineEntry(make=_qwen3, device="gpu"),
    EngineName.REMOTE: EngineEntry(make=_remote, device="remote", width=_REMOTE_BATCHES),
    EngineName.XTTS: EngineEntry(make=_xtts, device="gpu"),
    EngineName.BARK: EngineEntry(make=_bark, device="gpu"),
    EngineName.KOKORO: EngineEntry(make=_kokoro, device="cpu-kokoro"),
    EngineName.ESPEAK: EngineEntry(make=_espeak, device="cpu-espeak"),
}
