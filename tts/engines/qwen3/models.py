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
from tts.engines.qwen3.profile import Clone
from tts.engines.qwen3.prompts import LANGUAGES, SAMPLE_RATE_HZ
from tts.engines.torchaudio_on_cpu import allow_torchaudio
from tts.errors import EngineUnavailable

if TYPE_CHECKING:
    import torch
    from qwen_tts import Qwen3TTSModel

_INSTALL = "install recado with the extra `gpu`"
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
    """One checkpoint in memory."""

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
        self.width: int = raw.model.config.talker_config.hidden_size

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


def model_name(checkpoint: str) -> str:
    """What a checkpoint is called in notes and profiles: the hub id, or the folder's own name."""
    return Path(checkpoint).name if Path(checkpoint).is_dir() else checkpoint


def load_model(checkpoint: str, kind: Kind, placement: Placement, *, greedy: bool = False) -> LoadedModel:
    """The checkpoint on its device; a hub id is fetched first. Raises EngineUnavailable with the cure.

    `greedy` takes the likeliest code always: for tests, where real voices sound flat.
    """
    import_qwen()
    import torch  # noqa: PLC0415 - heavy libraries load on first use
    from qwen_tts import Qwen3TTSModel  # noqa: PLC0415
    from safetensors import SafetensorError  # noqa: PLC0415

    device = placement.device or ("cuda:0" if torch.cuda.is_available() else "cpu")
    folder = folder_of(checkpoint, kind, placement.cache_dir)
    try:
        raw = Qwen3TTSModel.from_pretrained(
            str(folder),
            device_map=device,
            dtype=_dtype(placement.dtype, device),
            attn_implementation=placement.attention,
        )
    except torch.OutOfMemoryError as error:
        raise EngineUnavailable(
            f"{device} has no room for {model_name(checkpoint)}: take 0.6B models (QWEN3_SIZE) or name fewer"
        ) from error.with_traceback(None)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, ImportError, SafetensorError) as error:
        raise EngineUnavailable(
            f"Qwen3-TTS could not load {model_name(checkpoint)!r} on {device} ({type(error).__name__}): "
            f"{SETTING[kind]} has to be a hub id or folder of a Qwen3-TTS 12 Hz {kind} checkpoint"
        ) from error.with_traceback(None)
    found = raw.model.tts_model_type
    if found != kind or raw.model.tokenizer_type != "qwen3_tts_tokenizer_12hz":
        raise EngineUnavailable(f"{SETTING[kind]} has to name a 12 Hz {kind} model, {checkpoint!r} is a {found} one")
    # What it would say on its own at each call, with a line in the log.
    raw.model.talker.generation_config.pad_token_id = raw.model.config.talker_config.codec_eos_token_id
    return LoadedModel(raw, name=model_name(checkpoint), kind=kind, greedy=greedy)


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
    except (OSError, ValueError) as error:
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
