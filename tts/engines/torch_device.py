"""What every engine on torch does about its device: choose it, give memory back, and tell what an error there means.

Must not know engines. Never imports torch before somebody else has.
"""

from __future__ import annotations

import gc
import sys

import structlog

from tts.errors import DeviceLost, EngineFailed, EngineOverloaded, EngineUnavailable, TtsError

_log = structlog.get_logger()

RETRY_AFTER_S = 5.0

# How cuBLAS, cuDNN, the driver and the CPU's allocator say it, as plain RuntimeErrors.
_FULL = ("out of memory", "alloc_failed", "can't allocate memory", "not enough memory")


def free_device_memory() -> None:
    """Give back what no model holds any more."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def chosen_device(name: str | None, *, setting: str) -> str:
    """The device to load on: `name`, or CUDA where there is some when it is None.

    A number is put there to see that it works. Raises EngineUnavailable, which names `setting`, when it does not.
    """
    import torch  # noqa: PLC0415 - heavy libraries load on first use

    device = name or ("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=device).item()
    except Exception as error:
        if is_out_of_memory(error):
            raise EngineUnavailable(f"{device} has no room left: other programs hold its memory") from error
        raise EngineUnavailable(f"{setting} {device!r} cannot be used here: {_first_line(error)}") from error
    return device


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error means that the device is full; libraries under torch say so in words of their own."""
    import torch  # noqa: PLC0415 - loaded since the model was

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in said for sign in _FULL)


def translated(error: Exception, model: str) -> EngineFailed:
    """What a failure inside torch or transformers means for the caller.

    Out of memory is EngineOverloaded. After an error of the device itself nothing there can be used again: DeviceLost.
    Anything else is EngineFailed. The error's frames are let go, because they would hold memory.
    """
    import torch  # noqa: PLC0415 - loaded since the model was

    meaning: EngineFailed
    error = error.with_traceback(None)
    if is_out_of_memory(error):
        free_device_memory()
        meaning = EngineOverloaded(f"the device has no memory left for {model}", retry_after_s=RETRY_AFTER_S)
    elif isinstance(error, torch.AcceleratorError):
        meaning = DeviceLost(f"the device failed under {model}: {_first_line(error)}")
    else:
        meaning = EngineFailed(f"{model} raised {type(error).__name__}")
    meaning.__cause__ = error
    return meaning


def load_failure(error: Exception, *, model: str, device: str, room: str, cure: str) -> TtsError:
    """Why `model` could not be brought onto `device`. The error's frames are let go, because they would hold memory.

    A full device is EngineUnavailable with `room`, what to do about it; any other failure is EngineUnavailable with
    `cure`, what the setting has to name. An error of the device itself is DeviceLost.
    """
    full, meaning = is_out_of_memory(error), translated(error, model)
    if isinstance(meaning, DeviceLost):
        return meaning
    _log.warning("model.not_loaded", model=model, device=device, error=type(error).__name__, said=_first_line(error))
    return EngineUnavailable(
        f"{device} has no room for {model}: {room}"
        if full
        else f"{model} could not be loaded on {device} ({type(error).__name__}): {cure}"
    )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
