"""Takes of one model: a batch, its seed, its cap, what to do when memory runs out, and which take is none.

Must not know voices, profiles or how models are loaded.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray

from tts.contract import PcmAudio
from tts.engines.qwen3.models import Line, LoadedModel
from tts.engines.qwen3.prompts import FRAME_S, FRAME_SAMPLES, SAMPLE_RATE_HZ
from tts.engines.torch_device import RETRY_AFTER_S, free_device_memory, translated
from tts.errors import EngineFailed, EngineOverloaded, TakeRejected, TtsError
from tts.gpu_memory import gpu_memory_bytes

_log = structlog.get_logger()

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A take to be made, expected to last `expected_s`; one of `frames` frames does not stop by itself."""

    line: Line
    frames: int
    expected_s: float
    seed: int | None


def speak(
    model: LoadedModel, orders: Sequence[Order], *, make_room: Callable[[], None] = free_device_memory
) -> list[PcmAudio | TtsError]:
    """One `(samples,)` float32 at 24 kHz per order, or what was wrong with it.

    A batch that finds no memory is made in halves after `make_room`; one take that finds none is EngineOverloaded.
    """
    import torch  # noqa: PLC0415 - loaded since the model was

    try:
        takes = _made(model, orders)
    except torch.OutOfMemoryError:
        takes = None  # the rest outside the handler: until that is left, the failed batch holds its memory
    except (RuntimeError, ValueError, IndexError) as error:  # what torch and transformers raise
        _log.exception("qwen3.failed", model=model.name, batch=len(orders))
        return [translated(error, model.name)] * len(orders)
    if takes is not None:
        return [_judged(take, order) for take, order in zip(takes, orders, strict=True)]
    make_room()
    _log.warning("qwen3.out_of_memory", model=model.name, batch=len(orders))
    if len(orders) == 1:
        return [EngineOverloaded("the device has no memory left for a take", retry_after_s=RETRY_AFTER_S)]
    middle = len(orders) // 2
    return [
        *speak(model, orders[:middle], make_room=make_room),
        *speak(model, orders[middle:], make_room=make_room),
    ]


def with_room(work: Callable[[], T], *, make_room: Callable[[], None] = free_device_memory) -> T:
    """What `work` gives. Raises EngineOverloaded when the device has no memory for it, DeviceLost when it failed."""
    import torch  # noqa: PLC0415 - loaded since the model was

    try:
        return work()
    except torch.AcceleratorError as error:
        raise translated(error, "Qwen3-TTS") from error
    except torch.OutOfMemoryError:
        pass
    make_room()
    raise EngineOverloaded("the device has no memory left", retry_after_s=RETRY_AFTER_S)


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
