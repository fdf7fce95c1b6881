"""A note's outline for drawing: 64 levels. Must not know files or screens."""

from __future__ import annotations

import numpy as np

from tts.contract import PcmAudio

PEAK_COUNT = 64


def peaks(audio: PcmAudio) -> tuple[int, ...]:
    """`PEAK_COUNT` levels 0..100, the loudest part being 100; silence gives zeros.

    RMS and not maxima: one click must not draw a tower.
    """
    parts = np.array_split(audio.samples.astype(np.float64), PEAK_COUNT)
    levels = np.array([np.sqrt(np.mean(np.square(part))) if len(part) else 0.0 for part in parts])
    top = levels.max()
    if top <= 0:
        return (0,) * PEAK_COUNT
    return tuple(round(100 * float(level / top)) for level in levels)
