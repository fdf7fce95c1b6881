"""A mark in the sound itself that this audio is synthetic: Perth's implicit watermark. Must not know notes or voices.

resemble-perth 1.0.1 (MIT, its weights come in the wheel). It tells that audio is marked, not by whom: that is what the
record is for. How much of it survives the encoding of voice notes stands in `docs/provenance.md`.
"""

from __future__ import annotations

import contextlib
import io
import sys
from importlib.resources import files
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np

from tts.contract import PcmAudio
from tts.engines.torchaudio_on_cpu import allow_torchaudio
from tts.errors import EngineUnavailable

MARKED_FROM = 0.5

_CURE = "install the extra `watermark`, or set WATERMARK=off"


class PerthWatermark:
    """Marks audio and finds the mark; each blocks for about a thirtieth of the audio's length."""

    def __init__(self) -> None:
        self._perth: Any = None

    def load(self) -> None:
        """Read the model (37 MB); idempotent. Raises EngineUnavailable with the cure."""
        if self._perth is not None:
            return
        _provide_pkg_resources()
        try:
            allow_torchaudio()
            from perth.perth_net.perth_net_implicit.perth_watermarker import (  # noqa: PLC0415 - heavy: torch
                PerthImplicitWatermarker,
            )
        except ImportError as error:
            raise EngineUnavailable(f"the watermark's packages are not here ({error.name}): {_CURE}") from error
        with contextlib.redirect_stdout(io.StringIO()):  # it announces itself where commands write their results
            self._perth = PerthImplicitWatermarker()

    def apply(self, audio: PcmAudio) -> PcmAudio:
        """The same audio with the mark in it, at the same rate and length."""
        self.load()
        marked = np.asarray(self._perth.apply_watermark(audio.samples, audio.sample_rate_hz), dtype=np.float32)
        samples = np.zeros_like(audio.samples)
        length = min(len(samples), len(marked))
        samples[:length] = np.clip(marked[:length], -1.0, 1.0)
        return PcmAudio(samples=samples, sample_rate_hz=audio.sample_rate_hz)

    def score(self, audio: PcmAudio) -> float:
        """How sure the mark is there, 0 to 1; from `MARKED_FROM` on it counts as found."""
        self.load()
        found = self._perth.get_watermark(audio.samples, audio.sample_rate_hz, round=False)
        return float(np.mean(found))


def watermark_installed() -> bool:
    """Whether the extra is there, found out without importing it."""
    return find_spec("torch") is not None and find_spec("perth") is not None


def _provide_pkg_resources() -> None:
    """Perth asks the late `pkg_resources` for one path; where setuptools has dropped it, answer in its place."""
    if "pkg_resources" not in sys.modules and find_spec("pkg_resources") is None:
        module = ModuleType("pkg_resources")
        vars(module)["resource_filename"] = lambda package, name: str(files(package) / name)
        sys.modules["pkg_resources"] = module
