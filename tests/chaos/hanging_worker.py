"""The worker with a voice that hangs once.

When it finds the file that HANG_ONCE names while it speaks, or HANG_LOADING while it loads, it takes it away and hangs.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from bot.__main__ import main
from tts.contract import PcmAudio, Utterance
from tts.engines import ENGINES, EngineEntry
from tts.engines.espeak import EspeakEngine
from tts.errors import TtsError
from tts.settings import EngineName


class HangingEngine(EspeakEngine):
    def synthesize(self, batch: Sequence[Utterance]) -> list[PcmAudio | TtsError]:
        hang_if_told("HANG_ONCE")
        return super().synthesize(batch)

    def load(self) -> None:
        hang_if_told("HANG_LOADING")
        super().load()


def hang_if_told(name: str) -> None:
    order = Path(os.environ.get(name, "nothing orders this"))
    if order.exists():
        order.unlink()
        threading.Event().wait()


if __name__ == "__main__":
    ENGINES[EngineName.ESPEAK] = EngineEntry(make=lambda _settings: HangingEngine(), device="cpu-espeak")
    main(prog_name="recado")
