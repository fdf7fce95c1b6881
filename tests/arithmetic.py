"""What must be equal, and how nearly, of takes that a model computed in another batch or by other kernels.

Codes are integers that the likeliest logit chose: they are equal. The sound of equal codes is the codec's sum of
products, which each kernel adds up in its own order. On the way to one sample of a tiny codec lie about 2^15 additions
(32 layers of some thousand products) of values below 4, each rounded by at most half a unit in the last place of such a
float32, 2^-23; such errors add up like a random walk, and ten times its spread is allowed. A wrong code is far louder,
which a test beside these shows.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from tts.contract import PcmAudio

ADDITIONS = 2**15
SOUND_TOLERANCE = 10 * math.sqrt(ADDITIONS) * 2.0**-23  # 2.2e-4


def assert_same_sound(take: PcmAudio | np.ndarray, other: PcmAudio | np.ndarray) -> None:
    """Fails unless both are equally long and sound alike within `SOUND_TOLERANCE`."""
    one, two = (sound.samples if isinstance(sound, PcmAudio) else sound for sound in (take, other))
    assert len(one)
    assert len(one) == len(two)
    np.testing.assert_allclose(one, two, rtol=0, atol=SOUND_TOLERANCE)


@contextlib.contextmanager
def codes_heard(model: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[list[int]]]]:
    """The codes of every take that a Qwen3-TTS `LoadedModel` turns into sound meanwhile, frame by frame."""
    heard: list[list[list[int]]] = []
    codec = model._raw.model.speech_tokenizer
    decode = codec.decode

    def listened(takes: Sequence[dict[str, Any]]) -> Any:
        heard.extend(take["audio_codes"].cpu().tolist() for take in takes)
        return decode(takes)

    with monkeypatch.context() as patched:
        patched.setattr(codec, "decode", listened)
        yield heard
