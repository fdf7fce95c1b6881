"""Qwen3-TTS checkpoints on a device: finding, loading, speaking, listening. The only file that imports `qwen_tts`.

Must not know voices or engines. One thread calls everything here: a model keeps state between its own steps.
Model cards: Qwen/Qwen3-TTS-12Hz-1.7B-{VoiceDesign,Base,CustomVoice}, Apache-2.0.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tts.audio.pcm import resample
from tts.contract import PcmAudio
from tts.engines.checkpoint_mark import model_name
from tts.engines.qwen3.checkpoint import check_kind, check_whole
from tts.engines.qwen3.profile import Clone
from tts.engines.qwen3.prompts import LANGUAGES, SAMPLE_RATE_HZ
from tts.engines.qwen3.room import Room
from tts.engines.torch_device import chosen_device, load_failure
from tts.engines.torchaudio_on_cpu import allow_torchaudio
from tts.errors import EngineUnavailable

if TYPE_CHECKING:
    import torch
    from qwen_tts import Qwen3TTSModel

__all__ = [
    "SETTING",
    "Checkpoints",
    "Kind",
    "Line",
    "LoadedModel",
    "Placement",
    "Size",
    "folder_of",
    "import_qwen",
    "load_model",
    "model_name",
]

_INSTALL = "install recado with the extra `gpu`"
_NO_ROOM = "take 0.6B models (QWEN3_SIZE) or name fewer"
_WARM_FRAMES = 4


class Kind(StrEnum):
    """The three models, by the names their configurations give them."""

    BASE = "base"
    CUSTOM = "custom_voice"
    DESIGN = "voice_design"


SETTING = {Kind.BASE: "QWEN3_BASE_MODEL", Kind.CUSTOM: "QWEN3_CUSTOM_MODEL", Kind.DESIGN: "QWEN3_DESIGN_MODEL"}


class Size(StrEnum):
    """The published sizes."""

    LARGE = "1.7B"
    SMALL = "0.6B"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoints:
    """A hub id or folder for each model that is configured."""

    base: str | None = None
    custom: str | None = None
    design: str | None = None

    def of(self, kind: Kind) -> str | None:
        """The checkpoint of one kind."""
        return {Kind.BASE: self.base, Kind.CUSTOM: self.custom, Kind.DESIGN: self.design}[kind]

    def or_published(self, size: Size | None) -> Checkpoints:
        """With the published checkpoints of a size where none is named; VoiceDesign exists in 1.7B only."""
        if size is None:
            return self
        hub = "Qwen/Qwen3-TTS-12Hz"
        return Checkpoints(
            base=self.base or f"{hub}-{size}-Base",
            custom=self.custom or f"{hub}-{size}-CustomVoice",
            design=self.design or f"{hub}-{Size.LARGE}-VoiceDesign",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where and how models live. `device` None takes CUDA where there is some; `dtype` None takes bfloat16 there.

    `attention` is one of transformers' implementations, such as sdpa, eager or flash_attention_2.
    """

    device: str | None = None
    dtype: str | None = None
    attention: str = "sdpa"
    cache_dir: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One take to be made: clean text, the language as the model calls it, the voice, and an instruction or ""."""

    text: str
    language: str
    voice: Clone | str
    instruct: str = ""


class LoadedModel:
    """One checkpoint in memory, and `room`, what it has learnt of how much fits beside it.

    Its speaker embeddings are `width` wide; its codes are `groups` a frame, each below `codebook`.
    """

    def __init__(self, raw: Qwen3TTSModel, *, name: str, kind: Kind, greedy: bool = False) -> None:
        self._raw = raw
        self._sampling: dict[str, Any] = {"do_sample": False, "subtalker_dosample": False} if greedy else {}
        self.name = name
        self.kind = kind
        names = {str(language).lower() for language in raw.get_supported_languages() or ()}
        self.languages = frozenset(tag for tag, language in LANGUAGES.items() if language.lower() in names)
        self.timbres = tuple(raw.get_supported_speakers() or ())
        self.takes_instruct = kind is not Kind.BASE and raw.model.tts_model_size not in "0b6"
        self.special = frozenset(raw.processor.tokenizer.get_added_vocab())
        self.cuda_devices = [raw.device] if raw.device.type == "cuda" else []
        self.room = Room()
        talker = raw.model.config.talker_config
        self.width: int = talker.hidden_size
        self.groups: int = talker.num_code_groups
        self.codebook: int = talker.code_predictor_config.vocab_size

    def speak(self, lines: Sequence[Line], *, frames: int) -> list[NDArray[np.float32]]:
        """One `(samples,)` float32 at 24 kHz a line, at most `frames` frames long. Raises torch's errors.

        A Base model takes clones, CustomVoice timbres' names, VoiceDesign instructions alone.
        """
        wanted = {
            "text": [line.text for line in lines],
            "language": [line.language for line in lines],
            "max_new_tokens": frames + 1,  # the last token's frame is never made
            **self._sampling,
        }
        match self.kind:
            case Kind.BASE:
                prompts = [self._prompt(line.voice) for line in lines if isinstance(line.voice, Clone)]
                takes, _ = self._raw.generate_voice_clone(voice_clone_prompt=prompts, **wanted)
            case Kind.CUSTOM:
                wanted["instruct"] = [line.instruct if self.takes_instruct else "" for line in lines]
                takes, _ = self._raw.generate_custom_voice(speaker=[line.voice for line in lines], **wanted)
            case Kind.DESIGN:
                takes, _ = self._raw.generate_voice_design(instruct=[line.instruct for line in lines], **wanted)
        return [np.asarray(take, dtype=np.float32) for take in takes]

    def embedding(self, audio: PcmAudio) -> NDArray[np.float32]:
        """The speaker embedding `(width,)` of a Base model. It carries no norm of its own: 2048 wide for 1.7B."""
        samples = np.ascontiguousarray(resample(audio, SAMPLE_RATE_HZ).samples)
        vector = self._raw.model.extract_speaker_embedding(audio=samples, sr=SAMPLE_RATE_HZ)
        found: NDArray[np.float32] = vector.float().cpu().numpy()
        return found

    def codes(self, audio: PcmAudio) -> NDArray[np.int16]:
        """The codec's codes of the audio, `(frames, 16)`."""
        samples = resample(audio, SAMPLE_RATE_HZ).samples
        codes = self._raw.model.speech_tokenizer.encode(samples, sr=SAMPLE_RATE_HZ).audio_codes[0]
        found: NDArray[np.int16] = codes.cpu().numpy().astype(np.int16)
        return found

    def warm(self) -> None:
        """Speak a few frames, so that the first take finds everything in place."""
        voice: Clone | str
        if self.kind is Kind.BASE:
            rest = np.random.default_rng(0).normal(0.0, 0.1, self.width).astype(np.float32)
            voice = Clone(model=self.name, embedding=rest)
        else:
            voice = self.timbres[0] if self.timbres else ""
        self.speak([Line(text="a", language="English", voice=voice)], frames=_WARM_FRAMES)

    @staticmethod
    def _prompt(voice: Clone) -> Any:
        import torch  # noqa: PLC0415 - loaded since `load_model`
        from qwen_tts import VoiceClonePromptItem  # noqa: PLC0415

        codes = None if voice.codes is None else torch.from_numpy(voice.codes.astype(np.int64))
        return VoiceClonePromptItem(
            ref_code=codes,
            ref_spk_embedding=torch.from_numpy(np.array(voice.embedding, dtype=np.float32)),
            x_vector_only_mode=codes is None,
            icl_mode=codes is not None,
            ref_text=voice.transcript or None,
        )


def load_model(checkpoint: str, kind: Kind, placement: Placement, *, greedy: bool = False) -> LoadedModel:
    """The checkpoint on its device; a hub id is fetched first. Raises EngineUnavailable with the cure.

    `greedy` takes the likeliest code always: for tests, where real voices sound flat.
    """
    import_qwen()
    from qwen_tts import Qwen3TTSModel  # noqa: PLC0415 - heavy libraries load on first use

    name, setting = model_name(checkpoint), SETTING[kind]
    device = chosen_device(placement.device, setting="QWEN3_DEVICE")
    _check_attention(placement.attention)
    folder = folder_of(checkpoint, kind, placement.cache_dir)
    check_kind(folder, kind, setting=setting)
    try:
        raw = Qwen3TTSModel.from_pretrained(
            str(folder),
            device_map=device,
            dtype=_dtype(placement.dtype, device),
            attn_implementation=placement.attention,
        )
    except Exception as error:
        cure = f"{setting} has to be a hub id or folder of a Qwen3-TTS 12 Hz {kind} checkpoint"
        raise load_failure(error, model=name, device=device, room=_NO_ROOM, cure=cure) from error
    check_whole(folder, _weights(raw.model), setting=setting)
    check_whole(folder / "speech_tokenizer", _weights(raw.model.speech_tokenizer.model), setting=setting)
    # What it would say on its own at each call, with a line in the log.
    raw.model.talker.generation_config.pad_token_id = raw.model.config.talker_config.codec_eos_token_id
    return LoadedModel(raw, name=name, kind=kind, greedy=greedy)


def _check_attention(name: str) -> None:
    """Raises EngineUnavailable where the implementation is not installed."""
    from transformers.utils.import_utils import is_flash_attn_2_available  # noqa: PLC0415 - loaded since `load_model`

    if name == "flash_attention_2" and not is_flash_attn_2_available():
        raise EngineUnavailable(
            f"QWEN3_ATTENTION {name!r} needs the package flash-attn and a GPU that it knows: take sdpa"
        )


def _weights(model: torch.nn.Module) -> list[set[str]]:
    """The names of each weight of a whole checkpoint; one that is used in two places may be kept under either."""
    names: dict[int, set[str]] = {}
    for name, tensor in model.state_dict().items():
        if tensor.numel() > 1:  # flags and counters are not worth refusing a model for
            names.setdefault(tensor.data_ptr(), set()).add(name)
    return list(names.values())


def _dtype(name: str | None, device: str) -> torch.dtype:
    import torch  # noqa: PLC0415 - loaded since `load_model`

    if name is not None:
        found: torch.dtype = getattr(torch, name)
        return found
    if not device.startswith("cuda"):
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def folder_of(checkpoint: str, kind: Kind, cache_dir: Path | None) -> Path:
    """Where the checkpoint lies. The whole of a hub id is fetched here: `from_pretrained` would put parts elsewhere."""
    folder = Path(checkpoint)
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - comes with the extra

    try:
        return Path(snapshot_download(checkpoint, cache_dir=cache_dir))
    except Exception as error:  # the hub's client raises errors of several libraries, some of them plain ones
        raise EngineUnavailable(
            f"{SETTING[kind]} {checkpoint!r} is no folder here and could not be fetched from the hub "
            f"({type(error).__name__})"
        ) from error


def import_qwen() -> None:
    """`import qwen_tts` without what it says and does to others on the way. Raises EngineUnavailable with the cure."""
    if "qwen_tts" in sys.modules:
        return
    try:
        allow_torchaudio()
        if shutil.which("sox") is None:
            # Its package runs the missing program and complains; only the 25 Hz codec would call it.
            sys.modules.setdefault("sox", ModuleType("sox"))
        with contextlib.redirect_stdout(io.StringIO()):  # advice about flash-attn
            import qwen_tts  # noqa: F401, PLC0415 - heavy libraries load on first use
    except ImportError as error:
        raise EngineUnavailable(f"Qwen3-TTS needs packages that are not here ({error.name}): {_INSTALL}") from error
