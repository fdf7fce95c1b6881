"""What becomes of a batch when memory runs out or something in it is poison; a model in the test's hand speaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import pytest

from tts.contract import PcmAudio
from tts.engines.qwen3.models import Line, LoadedModel
from tts.engines.qwen3.room import PATIENCE, Room
from tts.engines.qwen3.takes import SALVAGE_S, Order, speak, with_room
from tts.errors import DeviceLost, EngineFailed, EngineOverloaded, TtsError

torch = pytest.importorskip("torch", reason="needs the extra gpu")

BLAS_FULL = "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"


class SpeakingModel:
    """Takes as many samples as the text says, after `before` has heard of the texts; it may raise."""

    name = "base"
    cuda_devices: tuple[Any, ...] = ()

    def __init__(self, before: Callable[[list[str]], None]) -> None:
        self.room = Room()
        self.asked: list[list[str]] = []
        self._before = before

    def speak(self, lines: Sequence[Line], *, frames: int) -> list[np.ndarray]:
        assert frames > 0
        texts = [line.text for line in lines]
        self.asked.append(texts)
        self._before(texts)
        return [np.full(int(text), 0.5, np.float32) for text in texts]

    @property
    def sizes(self) -> list[int]:
        """Of the batches it was asked for since the last time somebody looked."""
        sizes = [len(texts) for texts in self.asked]
        self.asked.clear()
        return sizes


def holding(most: int, error: Exception | None = None) -> SpeakingModel:
    """A model that finds memory for `most` takes."""

    def full(texts: list[str]) -> None:
        if len(texts) > most:
            raise error or torch.OutOfMemoryError("CUDA out of memory")

    return SpeakingModel(full)


def failing(*poison: str, error: Exception | None = None) -> SpeakingModel:
    """A model that fails whenever one of these texts is in its batch."""

    def fail(texts: list[str]) -> None:
        if set(texts) & set(poison):
            raise error or TypeError("an integer is required")

    return SpeakingModel(fail)


def spoken(model: SpeakingModel, texts: Sequence[str], **how: Any) -> list[int | type[TtsError]]:
    """For each text its samples, or the error's class."""
    orders = [
        Order(line=Line(text=text, language="English", voice=""), frames=100, expected_s=1.0, seed=None)
        for text in texts
    ]
    results = speak(cast("LoadedModel", model), orders, **how)
    return [len(one.samples) if isinstance(one, PcmAudio) else type(one) for one in results]


TEXTS = [str(number) for number in range(101, 117)]
WHOLE = [int(text) for text in TEXTS]


@pytest.mark.parametrize("poison", [TEXTS[0], TEXTS[6], TEXTS[-1]])
def test_one_poisoned_order_costs_no_other_its_take(poison: str) -> None:
    model = failing(poison)

    results = spoken(model, TEXTS)

    assert results == [EngineFailed if text == poison else int(text) for text in TEXTS]
    assert len(model.asked) == 9  # one more for each half of 16, 8, 4 and 2


def test_several_poisoned_orders_cost_no_other_its_take() -> None:
    poison = (TEXTS[2], TEXTS[3], TEXTS[9])

    assert spoken(failing(*poison), TEXTS) == [EngineFailed if text in poison else int(text) for text in TEXTS]


def test_a_model_that_is_slow_to_fail_is_not_tried_for_ever() -> None:
    now_s = 0.0

    def slow(texts: list[str]) -> None:
        nonlocal now_s
        now_s += SALVAGE_S * 0.6 if texts else 0.0
        raise ValueError("no")

    model = SpeakingModel(slow)

    assert spoken(model, TEXTS, clock=lambda: now_s) == [EngineFailed] * 16
    assert model.sizes == [16, 8, 4, 4, 8]


def test_after_the_device_itself_failed_nothing_more_is_tried() -> None:
    model = failing(TEXTS[3], error=torch.AcceleratorError("CUDA error: unspecified launch failure"))

    assert spoken(model, TEXTS) == [DeviceLost] * 16
    assert model.sizes == [16]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError(BLAS_FULL)])
def test_a_batch_without_memory_is_made_in_smaller_ones(error: Exception) -> None:
    model = holding(5, error)

    assert spoken(model, TEXTS) == WHOLE
    assert model.sizes == [16, 8, 4, 4, 4, 4]


def test_a_limit_that_was_found_is_kept_for_the_next_batch() -> None:
    model = holding(5)
    spoken(model, TEXTS)
    assert model.sizes

    assert spoken(model, TEXTS) == WHOLE
    assert 8 not in (sizes := model.sizes)
    assert 16 not in sizes


def test_when_there_is_memory_again_batches_grow_slowly() -> None:
    model = holding(4)
    spoken(model, TEXTS)
    model._before = lambda _texts: None
    batches = 0

    while True:
        batches += 1
        model.asked.clear()
        assert spoken(model, TEXTS) == WHOLE
        if model.sizes == [16]:
            break

    assert PATIENCE < batches < 12 * PATIENCE


def test_room_is_made_outside_the_failed_batch() -> None:
    made: list[bool] = []
    model = holding(8)

    assert spoken(model, TEXTS, make_room=lambda: made.append(True)) == WHOLE
    assert made == [True]


def test_takes_that_find_no_memory_alone_are_told_one_by_one() -> None:
    assert spoken(holding(0), TEXTS[:3]) == [EngineOverloaded] * 3


def test_a_model_that_gives_too_few_takes_has_failed() -> None:
    model = SpeakingModel(lambda _texts: None)
    model.speak = lambda _lines, **_limits: []  # type: ignore[method-assign] # the fake is broken on purpose

    assert spoken(model, TEXTS[:2]) == [EngineFailed] * 2


def test_nothing_ordered_is_nothing_made() -> None:
    assert spoken(SpeakingModel(lambda _texts: None), []) == []


def test_listening_without_memory_says_when_to_come_back_in_other_words_too() -> None:
    def full() -> None:
        raise RuntimeError(BLAS_FULL)

    with pytest.raises(EngineOverloaded):
        with_room(full)


def test_listening_that_fails_fails() -> None:
    def broken() -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        with_room(broken)
