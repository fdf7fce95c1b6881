"""The worker with switches, which are files in the folder that SWITCHES names.

kill-<engine>   the engine fails, while it lies there
crowd           Qwen3-TTS finds no memory for more than one line, while it lies there
break           Qwen3-TTS fails, while it lies there
lose            Qwen3-TTS fails with its device, once: the worker takes the file away and fails
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.__main__ import main
from tts.contract import Engine, PcmAudio, Utterance
from tts.engines import ENGINES
from tts.engines.qwen3.models import Line, LoadedModel
from tts.errors import EngineFailed, TtsError

SWITCHES = Path(os.environ["SWITCHES"])


def with_switch(name: str, make: Callable[[Any], Engine | None]) -> Callable[[Any], Engine | None]:
    """What makes the engine, with a switch put before its `synthesize`."""
    switch = SWITCHES / f"kill-{name}"

    def made(settings: Any) -> Engine | None:
        engine = make(settings)
        if engine is None:
            return None
        speak = engine.synthesize

        def synthesize(batch: Sequence[Utterance]) -> list[PcmAudio | TtsError]:
            return [EngineFailed("switched off")] * len(batch) if switch.exists() else speak(batch)

        engine.synthesize = synthesize  # type: ignore[method-assign]
        return engine

    return made


def put_switches_before_qwen3() -> None:
    """Let the model raise what torch raises there."""
    speak = LoadedModel.speak

    def switched(self: LoadedModel, lines: Sequence[Line], *, frames: int) -> Any:
        import torch

        if (SWITCHES / "crowd").exists() and len(lines) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        if (SWITCHES / "break").exists():
            raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
        if (SWITCHES / "lose").exists():
            (SWITCHES / "lose").unlink()
            raise torch.AcceleratorError("CUDA error: device-side assert triggered")
        return speak(self, lines, frames=frames)

    LoadedModel.speak = switched  # type: ignore[method-assign]


if __name__ == "__main__":
    for name, entry in list(ENGINES.items()):
        ENGINES[name] = replace(entry, make=with_switch(name.value, entry.make))
    put_switches_before_qwen3()
    with contextlib.ExitStack() as narrowed:
        if os.environ.get("XTTS_MODEL"):
            from tests.tiny.xtts import narrow_decoder

            narrowed.enter_context(narrow_decoder())
        main(prog_name="recado")
