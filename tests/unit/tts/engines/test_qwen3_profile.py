from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def packed(about: object, **tensors: np.ndarray) -> bytes:
    """A profile by hand: its metadata, and its tensors over an embedding and two frames of codes."""
    from safetensors.numpy import save

    whole = {"embedding": np.ones(32, np.float32), "codes": np.ones((2, 16), np.int16)} | tensors
    return save(whole, metadata={"recado": json.dumps(about)})


ABOUT = {"format": 1, "model": "tiny", "transcript": "Sete horas."}


def test_a_profile_by_hand_is_read() -> None:
    assert isinstance(unpack(packed(ABOUT)), Clone)


@pytest.mark.parametrize(
    "about",
    [
        None, [1], "text", 7, {},
        ABOUT | {"format": 2}, ABOUT | {"format": None},
        ABOUT | {"model": None}, ABOUT | {"model": 5},
        ABOUT | {"transcript": None}, ABOUT | {"transcript": ""}, ABOUT | {"transcript": " … "},
    ],
    ids=str,
)  # fmt: skip
def test_metadata_that_makes_no_voice_asks_for_a_new_casting(about: Any) -> None:
    with pytest.raises(BadVoice, match="cast the voice again"):
        unpack(packed(about))


@pytest.mark.parametrize(
    "tensors",
    [
        {"embedding": np.ones((1, 32), np.float32)},
        {"embedding": np.ones(32, np.float64)},
        {"embedding": np.full(32, np.nan, np.float32)},
        {"codes": np.ones(16, np.int16)},
        {"codes": np.ones((2, 16), np.int64)},
        {"codes": np.ones((0, 16), np.int16)},
    ],
    ids=["flat", "double", "nan", "one frame", "wide numbers", "no frame"],
)
def test_tensors_of_another_form_ask_for_a_new_casting(tensors: dict[str, np.ndarray]) -> None:
    with pytest.raises(BadVoice, match="cast the voice again"):
        unpack(packed(ABOUT, **tensors))


WHOLE = packed(ABOUT)


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_byte_that_changed_on_the_way_gives_a_profile_or_a_refusal(place: int, value: int) -> None:
    try:
        made = unpack(WHOLE[:place] + bytes([value]) + WHOLE[place + 1 :])
    except BadVoice:
        return
    assert isinstance(made, Clone)
    assert np.isfinite(made.embedding).all()
