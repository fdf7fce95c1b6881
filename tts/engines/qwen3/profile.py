"""What Qwen3-TTS keeps of a voice, as safetensors: a speaker embedding with or without a reference, or a timbre's name.

Must not know models or torch. The tensors survive the round trip bit for bit.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from tts.errors import StaleProfile
from tts.text.sentences import has_word

_FORMAT = 1
_EMBEDDING, _CODES = "embedding", "codes"
_ABOUT = "recado"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clone:
    """A voice of the Base model: `embedding` `(width,)` float32, no norm implied.

    With a reference (ICL) `codes` is `(frames, 16)` int16 and `transcript` covers all of it; without, both are empty.
    `model` made it: embeddings of another size or checkpoint mean another voice.
    """

    model: str
    embedding: NDArray[np.float32]
    codes: NDArray[np.int16] | None = None
    transcript: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timbre:
    """A voice the CustomVoice model was trained with."""

    model: str
    name: str


def pack(profile: Clone | Timbre) -> bytes:
    """The profile as safetensors. The same profile gives the same bytes."""
    from safetensors.numpy import save  # noqa: PLC0415 - comes with the extra

    tensors: dict[str, NDArray[np.generic]] = {}
    about: dict[str, str | int] = {"format": _FORMAT, "model": profile.model}
    if isinstance(profile, Timbre):
        about["timbre"] = profile.name
    else:
        tensors[_EMBEDDING] = np.ascontiguousarray(profile.embedding, dtype=np.float32)
        if profile.codes is not None:
            tensors[_CODES] = np.ascontiguousarray(profile.codes, dtype=np.int16)
            about["transcript"] = profile.transcript
    # One entry, because several would come out in another order each time.
    return save(tensors, metadata={_ABOUT: json.dumps(about, ensure_ascii=False, sort_keys=True)})


def unpack(data: bytes) -> Clone | Timbre:
    """The profile of `pack`. Raises StaleProfile for bytes that are none: the voice has to be cast again."""
    from safetensors import SafetensorError  # noqa: PLC0415 - comes with the extra
    from safetensors.numpy import load  # noqa: PLC0415

    try:
        tensors, about = load(data), _about(data)
    except (SafetensorError, KeyError, ValueError, TypeError, struct.error) as error:
        raise StaleProfile("the profile is damaged: cast the voice again") from error
    if about.get("format") != _FORMAT:
        raise StaleProfile(f"the profile has format {about.get('format')}, this is {_FORMAT}: cast the voice again")
    model, timbre, embedding, codes = (
        about.get("model"),
        about.get("timbre"),
        tensors.get(_EMBEDDING),
        tensors.get(_CODES),
    )
    if isinstance(model, str) and isinstance(timbre, str):
        return Timbre(model=model, name=timbre)
    words = about.get("transcript") if codes is not None else ""
    if isinstance(model, str) and isinstance(words, str) and _is_embedding(embedding) and _are_codes(codes, words):
        return Clone(model=model, embedding=embedding, codes=codes, transcript=words)
    raise StaleProfile("the profile is damaged: cast the voice again")


def _is_embedding(tensor: NDArray[np.generic] | None) -> TypeGuard[NDArray[np.float32]]:
    return tensor is not None and tensor.dtype == np.float32 and tensor.ndim == 1 and bool(np.isfinite(tensor).all())


def _are_codes(tensor: NDArray[np.generic] | None, words: str) -> TypeGuard[NDArray[np.int16] | None]:
    """Whether they are none, or `(frames, groups)` and their words: a model that is not told them goes astray."""
    if tensor is None:
        return True
    return tensor.dtype == np.int16 and tensor.ndim == 2 and tensor.size > 0 and has_word(words)


def _about(data: bytes) -> dict[str, Any]:
    """The metadata: a safetensors file begins with the length of its JSON header."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    about: dict[str, Any] = dict(json.loads(header["__metadata__"][_ABOUT]))
    return about
