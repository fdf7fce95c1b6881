from __future__ import annotations

import numpy as np
import pytest

from tts.engines.qwen3.profile import Clone, Timbre, pack, unpack
from tts.errors import BadVoice

pytest.importorskip("safetensors", reason="needs the extra gpu")

RANDOM = np.random.default_rng(0)


def clone(*, codes: bool = False) -> Clone:
    return Clone(
        model="tiny",
        embedding=RANDOM.normal(size=32).astype(np.float32),
        codes=RANDOM.integers(0, 2048, size=(7, 16)).astype(np.int16) if codes else None,
        transcript="São sete horas." if codes else "",
    )


@pytest.mark.parametrize("codes", [False, True])
def test_a_clone_survives_the_round_trip_bit_for_bit(*, codes: bool) -> None:
    made = clone(codes=codes)

    read = unpack(pack(made))

    assert isinstance(read, Clone)
    assert read.embedding.tobytes() == made.embedding.tobytes()
    assert read.embedding.dtype == np.float32
    assert (read.model, read.transcript) == (made.model, made.transcript)
    if codes:
        assert made.codes is not None
        assert read.codes is not None
        assert read.codes.dtype == np.int16
        assert read.codes.tobytes() == made.codes.tobytes()
    else:
        assert read.codes is None


def test_a_timbre_is_kept_by_its_name() -> None:
    assert unpack(pack(Timbre(model="custom", name="ryan"))) == Timbre(model="custom", name="ryan")


def test_the_same_profile_gives_the_same_bytes() -> None:
    made = clone(codes=True)

    assert pack(made) == pack(made)


@pytest.mark.parametrize(
    "data",
    [b"", b"not safetensors", pack(Timbre(model="m", name="n"))[:-4], b"\xff" * 64],
    ids=["empty", "text", "cut", "noise"],
)
def test_damaged_bytes_ask_for_a_new_casting(data: bytes) -> None:
    with pytest.raises(BadVoice, match="cast the voice again"):
        unpack(data)


def test_safetensors_of_somebody_else_ask_for_a_new_casting() -> None:
    from safetensors.numpy import save

    with pytest.raises(BadVoice, match="cast the voice again"):
        unpack(save({"embedding": np.zeros(3, np.float32)}))
