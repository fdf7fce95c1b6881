"""Takes of one model: a batch, its seed, its cap, what to do when memory runs out, and which take is none.

Must not know voices, profiles or how models are loaded.
"""

from __future__ import annotations

import math
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray

from tts.contract import PcmAudio
from tts.engines.qwen3.models import Line, LoadedModel
from tts.engines.qwen3.prompts import FRAME_S, FRAME_SAMPLES, SAMPLE_RATE_HZ
from tts.engines.torch_device import RETRY_AFTER_S, free_device_memory, is_out_of_memory, translated
from tts.errors import DeviceLost, EngineFailed, EngineOverloaded, TakeRejected, TtsError
from tts.gpu_memory import gpu_memory_bytes

_log = structlog.get_logger()

T = TypeVar("T")

SALVAGE_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A take to be made, expected to last `expected_s`; one of `frames` frames does not stop by itself."""

    line: Line
    frames: int
    expected_s: float
    seed: int | None


def speak(
    model: LoadedModel,
    orders: Sequence[Order],
    *,
    make_room: Callable[[], None] = free_device_memory,
    clock: Callable[[], float] = time.monotonic,
) -> list[PcmAudio | TtsError]:
    """One `(samples,)` float32 at 24 kHz per order, or what was wrong with it.

    A batch that finds no memory is made in smaller ones after `make_room`, and so are those that follow, as
    `model.room` tells; one take that finds none is EngineOverloaded. A batch that fails is made in halves, so that what
    is wrong with one order costs no other its take, until `SALVAGE_S` after the first failure. DeviceLost ends it all.
    """
    results: list[PcmAudio | TtsError] = []
    waiting = deque([list(orders)])
    ends_s = math.inf
    while waiting:
        part = waiting.popleft()
        if len(part) > model.room.most:
            waiting.appendleft(part[model.room.most :])
            part = part[: model.room.most]
        made = _tried(model, part) if part else []
        again: list[list[Order]] = []
        match made:
            case DeviceLost():
                return [*results, *[made] * (len(orders) - len(results))]
            case EngineOverloaded():
                make_room()
                model.room.ran_out(len(part))
                again = [part] if len(part) > 1 else []
            case EngineFailed():
                ends_s = min(ends_s, clock() + SALVAGE_S)
                middle = len(part) // 2
                again = [part[:middle], part[middle:]] if middle and clock() < ends_s else []
            case _:
                model.room.held(len(part))
        waiting.extendleft(reversed(again))
        if not again:
            results += [made] * len(part) if isinstance(made, EngineFailed) else map(_judged, made, part)
    return results


def with_room(work: Callable[[], T], *, make_room: Callable[[], None] = free_device_memory) -> T:
    """What `work` gives. Raises EngineOverloaded when the device has no memory for it, DeviceLost when it failed."""
    import torch  # noqa: PLC0415 - loaded since the model was

    try:
        return work()
    except RuntimeError as error:  # torch's own errors derive from it
        if not is_out_of_memory(error):
            if isinstance(error, torch.AcceleratorError):
                raise translated(error, "Qwen3-TTS") from error
            raise
    make_room()
    raise EngineOverloaded("the device has no memory left", retry_after_s=RETRY_AFTER_S)


def _tried(model: LoadedModel, orders: Sequence[Order]) -> list[NDArray[np.float32]] | EngineFailed:
    """The takes, or why there are none. Only when this has returned does a failed batch give its memory back."""
    try:
        return _made(model, orders)
    except Exception as error:  # noqa: BLE001 - the boundary to foreign model code: logged, and a value from here on
        if not is_out_of_memory(error):
            _log.exception("qwen3.failed", model=model.name, batch=len(orders))
            return translated(error, model.name)
    _log.warning("qwen3.out_of_memory", model=model.name, batch=len(orders))
    return EngineOverloaded("the device has no memory left for a take", retry_after_s=RETRY_AFTER_S)


def _made(model: LoadedModel, orders: Sequence[Order]) -> list[NDArray[np.float32]]:
    """The takes as the model made them. One alone keeps its own seed; in a batch all share one, which is logged."""
    import torch  # noqa: PLC0415 - loaded since the model was

    alone = orders[0].seed if len(orders) == 1 else None
    seed = secrets.randbits(32) if alone is None else alone
    frames = max(order.frames for order in orders)
    started_s = time.perf_counter()
    # The seed is the whole process's: another model must not hear of it.
    with torch.random.fork_rng(devices=model.cuda_devices):
        torch.manual_seed(seed)
        takes = model.speak([order.line for order in orders], frames=frames)
    if len(takes) != len(orders):
        raise RuntimeError(f"{len(takes)} takes for {len(orders)} lines")
    _log.info(
        "qwen3.batch",
        model=model.name,
        batch=len(orders),
        seed=seed,
        most_frames=frames,
        took_s=round(time.perf_counter() - started_s, 3),
        audio_s=round(sum(map(len, takes)) / SAMPLE_RATE_HZ, 2),
        gpu_memory_bytes=gpu_memory_bytes(),
    )
    return takes


def _judged(take: NDArray[np.float32], order: Order) -> PcmAudio | TtsError:
    """The take, unless it is none. One that only its cap ended is rejected, not cut in silence."""
    if not len(take):
        return TakeRejected("the model made no sound")
    if not np.isfinite(take).all():
        return EngineFailed("the model returned values that are no numbers")
    frames = len(take) // FRAME_SAMPLES
    if frames >= order.frames:
        made_s = frames * FRAME_S
        return TakeRejected(f"it did not stop: {made_s:.1f} s where {order.expected_s:.1f} s was expected")
    return PcmAudio(samples=np.clip(take, -1.0, 1.0), sample_rate_hz=SAMPLE_RATE_HZ)
