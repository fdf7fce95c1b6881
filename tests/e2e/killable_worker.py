"""The worker with a switch before each engine: while the file `kill-<engine>` lies in SWITCHES, that engine fails."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bot.__main__ import main
from tests.tiny.xtts import narrow_decoder
from tts.contract import Engine, PcmAudio, Utterance
from tts.engines import ENGINES, EngineEntry
from tts.errors import EngineFailed, TtsError


def with_switch(name: str, make: Callable[[Any], Engine | None]) -> Callable[[Any], Engine | None]:
    """What makes the engine, with a switch put before its `synthesize`."""
    switch = Path(os.environ["SWITCHES"]) / f"kill-{name}"

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


if __name__ == "__main__":
    for name, entry in list(ENGINES.items()):
        ENGINES[name] = EngineEntry(make=with_switch(name.value, entry.make), device=entry.device)
    with narrow_decoder():
        main(prog_name="recado")
