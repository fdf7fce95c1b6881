"""The worker with a voice that hangs once: when it finds the file that HANG_ONCE names, it takes it away and hangs."""

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
        order = Path(os.environ["HANG_ONCE"])
        if order.exists():
            order.unlink()
            threading.Event().wait()
        return super().synthesize(batch)


if __name__ == "__main__":
    ENGINES[EngineName.ESPEAK] = EngineEntry(make=lambda _settings: HangingEngine(), device="cpu-espeak")
    main(prog_name="recado")
