"""What every engine on torch does about its device: give memory back, and tell what an error there means.

Must not know engines. Never imports torch before somebody else has.
"""

from __future__ import annotations

import gc
import sys

from tts.errors import DeviceLost, EngineFailed, EngineOverloaded, TtsError

RETRY_AFTER_S = 5.0


def free_device_memory() -> None:
    """Give back what no model holds any more."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def translated(error: Exception, model: str) -> TtsError:
    """What a failure inside torch or transformers means for the caller.

    Out of memory is EngineOverloaded. After an error of the device itself nothing there can be used again: DeviceLost.
    Anything else is EngineFailed. The error's frames are let go, because they would hold memory.
    """
    import torch  # noqa: PLC0415 - loaded since the model was

    meaning: TtsError
    error = error.with_traceback(None)
    if isinstance(error, torch.OutOfMemoryError):
        free_device_memory()
        meaning = EngineOverloaded(f"the device has no memory left for {model}", retry_after_s=RETRY_AFTER_S)
    elif isinstance(error, torch.AcceleratorError):
        meaning = DeviceLost(f"the device failed under {model}: {str(error).partition(chr(10))[0]}")
    else:
        meaning = EngineFailed(f"{model} raised {type(error).__name__}")
    meaning.__cause__ = error
    return meaning
