from __future__ import annotations

from typing import Any

import pytest

from tts.engines.torch_device import chosen_device, is_out_of_memory, load_failure, translated
from tts.errors import DeviceLost, EngineFailed, EngineOverloaded, EngineUnavailable

torch = pytest.importorskip("torch", reason="needs an extra with torch")

FULL = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    torch.AcceleratorError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


def not_loaded(error: Exception) -> Any:
    return load_failure(error, model="base", device="cuda:0", room="name fewer", cure="SETTING has to name a folder")


@pytest.mark.parametrize("error", FULL)
def test_a_full_device_is_told_whatever_library_says_it(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert isinstance(translated(error, "base"), EngineOverloaded)
    assert "cuda:0 has no room for base: name fewer" in str(not_loaded(error))


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("out of memory of what was said")])
def test_another_failure_is_none_of_memory(error: Exception) -> None:
    assert not is_out_of_memory(error)
    assert type(translated(error, "base")) is EngineFailed
    assert "SETTING has to name a folder" in str(not_loaded(error))


def test_an_error_of_the_device_itself_ends_its_use_while_loading_too() -> None:
    assert isinstance(not_loaded(torch.AcceleratorError("CUDA error: unspecified launch failure")), DeviceLost)


def test_the_device_that_is_asked_for_is_taken() -> None:
    assert chosen_device("cpu", setting="QWEN3_DEVICE") == "cpu"


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "meta", "cpu:x"])
def test_a_device_that_cannot_count_is_refused_with_its_setting(name: str) -> None:
    with pytest.raises(EngineUnavailable, match=f"QWEN3_DEVICE '{name}' cannot be used here"):
        chosen_device(name, setting="QWEN3_DEVICE")


def test_a_device_without_a_byte_left_is_no_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_size: int, device: str) -> None:
        raise torch.AcceleratorError(f"{device}: CUDA error: out of memory")

    monkeypatch.setattr(torch, "zeros", full)

    with pytest.raises(EngineUnavailable, match="cuda:0 has no room left"):
        chosen_device("cuda:0", setting="QWEN3_DEVICE")
