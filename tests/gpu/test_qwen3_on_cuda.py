"""What only a GPU can show of Qwen3-TTS, on tiny checkpoints; skipped where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.arithmetic import assert_same_sound, codes_heard
from tts.contract import PcmAudio, PreparedSource, SourceKind, Utterance, Voice, VoiceProfile, VoiceSource
from tts.engines.fake import tone
from tts.engines.qwen3 import Checkpoints, Placement, Qwen3Choices, Qwen3Engine
from tts.engines.qwen3.models import Kind
from tts.engines.torch_device import free_device_memory

torch = pytest.importorskip("torch", reason="needs the extra gpu")
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

VOICE = Voice(id="lia", language="en")


def engine(folder: Path, *, dtype: str | None = None, greedy: bool = False) -> Qwen3Engine:
    made = Qwen3Engine(
        Qwen3Choices(
            checkpoints=Checkpoints(base=str(folder / "base")), placement=Placement(dtype=dtype), greedy=greedy
        )
    )
    made.load()
    return made


def profile(speaking: Qwen3Engine, name: str, *, words: str | None = None) -> VoiceProfile:
    source = VoiceSource(kind=SourceKind.SAMPLE, ref=name)
    return speaking.cast(VOICE, [PreparedSource(source=source, audio=tone(name, seconds=1.0), transcript=words)])


def say(made: VoiceProfile, text: str) -> Utterance:
    return Utterance(text=text, language="en", voice=VOICE, expected_s=6.0, profile=made)


def test_models_live_on_the_gpu_in_bfloat16(tiny_qwen3: Path) -> None:
    speaking = engine(tiny_qwen3)

    model = speaking._models[Kind.BASE]._raw.model

    assert model.device.type == "cuda"
    assert model.dtype == torch.bfloat16
    assert isinstance(speaking.synthesize([say(profile(speaking, "ana"), "Good morning.")])[0], PcmAudio)


def test_a_batch_of_mixed_prompts_is_its_singles(tiny_qwen3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)  # its convolutions would keep ten bits of float32
    speaking = engine(tiny_qwen3, dtype="float32", greedy=True)
    plain, continued = profile(speaking, "ana"), profile(speaking, "rui", words="nineteen letters ok")
    batch = [say(plain, "Good morning."), say(continued, "See you soon."), say(plain, "Yes.")]

    with codes_heard(speaking._models[Kind.BASE], monkeypatch) as codes:
        together = speaking.synthesize(batch)
        singles = [speaking.synthesize([item])[0] for item in batch]

    assert codes[: len(batch)] == codes[len(batch) :]
    for take, alone in zip(together, singles, strict=True):
        assert isinstance(take, PcmAudio)
        assert isinstance(alone, PcmAudio)
        assert_same_sound(take, alone)


def test_a_batch_that_the_gpu_cannot_hold_is_spoken_in_halves(
    tiny_qwen3: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaking = engine(tiny_qwen3)
    made = profile(speaking, "ana")
    model = speaking._models[Kind.BASE]
    speak = model.speak

    def greedy_for_memory(lines: Sequence[Any], *, frames: int) -> Any:
        if len(lines) > 1:
            torch.empty(1 << 44, device="cuda")  # 64 TiB
        return speak(lines, frames=frames)

    monkeypatch.setattr(model, "speak", greedy_for_memory)

    takes = speaking.synthesize([say(made, "Good morning."), say(made, "Yes."), say(made, "See you soon!")])

    assert all(isinstance(take, PcmAudio) for take in takes)


def test_closing_gives_the_memory_back(tiny_qwen3: Path) -> None:
    free_device_memory()
    before = torch.cuda.memory_allocated()
    speaking = engine(tiny_qwen3)
    loaded = torch.cuda.memory_allocated()

    speaking.close()

    assert before < loaded
    assert torch.cuda.memory_allocated() < loaded
