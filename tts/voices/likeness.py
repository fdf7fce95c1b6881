"""How alike two voices are, as an encoder hears them. Must not know engines, encoders or checks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tts.contract import PcmAudio, Take

SHORTEST_HEARD_S = 1.6  # less sound than that tells little of who speaks


def cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """How alike two embeddings of one encoder are, −1 to 1, whatever their shape."""
    norms = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return float(np.vdot(one, other)) / norms if norms else 0.0


def compared(take: PcmAudio, embedding: NDArray[np.float32], wanted: NDArray[np.float32]) -> Take:
    """The take with the cosine of its embedding to that of its voice's profile, both by one encoder."""
    return Take(samples=take.samples, sample_rate_hz=take.sample_rate_hz, own_similarity=cosine(embedding, wanted))
