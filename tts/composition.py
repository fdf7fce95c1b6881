"""Puts a speaker together as the installation's settings want it: which engines, on which devices, behind which gate.

Nothing is loaded here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from tts.batch_choice import BatchPolicy
from tts.batching import BatchStats, Device
from tts.casting import Casting
from tts.checks.signal import SignalCheck
from tts.contract import Engine, Utterance
from tts.engines import ENGINES
from tts.errors import EngineUnavailable
from tts.gate import Check, Gate
from tts.material import MemoryMaterial
from tts.settings import TtsSettings
from tts.slots import EngineSlot
from tts.speaker import Speaker
from tts.watermark import PerthWatermark


def build_speaker(
    settings: TtsSettings,
    *,
    casting: Casting | None = None,
    gate: Check | None = None,
    on_lost: Callable[[str, Sequence[Utterance]], None],
    on_batch: Callable[[BatchStats], None] = lambda _stats: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Speaker:
    """A speaker with the engines of `settings.tts_engines`; nothing is loaded yet.

    `gate` judges every take; without one, the signal alone is judged. Without `casting` there are no recordings: voices
    made of some are spoken by their stand-in, or not at all.
    `on_lost` is called once with the engine's name and the suspects when a batch passes its deadline or its device
    fails: the process should record them and end (by `os._exit`: a hung thread cannot be joined).
    """
    devices: dict[str, Device] = {}
    casting = casting or Casting(MemoryMaterial())
    gate = gate or Gate((SignalCheck(settings.gate),))

    def slot(name: str, engine: Engine | None, device: Device, reason: str) -> EngineSlot:
        return EngineSlot(
            name,
            engine,
            device=device,
            batching=BatchPolicy(
                max_batch=settings.tts_batch_max,
                max_wait_s=settings.tts_batch_wait_ms / 1000,
                deadline_s=settings.tts_batch_deadline_s,
                load_deadline_s=settings.tts_load_deadline_s,
                queue_max=settings.tts_queue_max,
            ),
            breaker=settings.breaker,
            gate=gate,
            casting=casting,
            takes=settings.tts_takes,
            on_lost=on_lost,
            on_batch=on_batch,
            reason=reason,
            clock=clock,
            sleep=sleep,
        )

    slots = []
    for name in settings.tts_engines:
        entry = ENGINES.get(name)
        engine, reason = None, ""
        try:
            engine = entry.make(settings) if entry else None
        except EngineUnavailable as error:
            reason = str(error)
        place, width = (entry.device, entry.width) if entry else ("none", 1)
        device = devices.setdefault(place, Device(place, width=width))
        slots.append(slot(name.value, engine, device, reason))
    return Speaker(
        slots,
        devices=tuple(devices.values()),
        opus=settings.opus,
        casting=casting,
        tagged=settings.note_tags,
        watermark=PerthWatermark() if settings.watermark else None,
        prompt_default=settings.qwen3_voice_prompt_default,
        clock=clock,
    )
