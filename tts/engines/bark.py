"""Bark (transformers' own classes): named speakers in 13 languages, one utterance after another. Knows no other engine.

Model card: suno/bark, MIT. Three models in a row (text to meaning, to coarse, to fine codes) and a codec; without a
speaker preset every take is a stranger's, so a voice is always one preset. Bark has one pace.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from tts.audio.pcm import fade_edges, join, resample, trim_edges
from tts.contract import EngineInfo, PcmAudio, SourceKind, Utterance, Voice
from tts.engines.torch_device import chosen_device, free_device_memory, load_failure, translated
from tts.errors import BadText, BadVoice, EngineFailed, EngineUnavailable, TtsError
from tts.languages import match_language
from tts.text.halves import halves
from tts.text.sentences import CLAUSE_PAUSE_MS, has_word
from tts.voices.mix import normalised, usable_sources

_log = structlog.get_logger()

LANGUAGES = ("de", "en", "es", "fr", "hi", "it", "ja", "ko", "pl", "pt", "ru", "tr", "zh")
PRESETS = tuple(f"v2/{language}_speaker_{number}" for language in LANGUAGES for number in range(10))
SAMPLE_RATE_HZ = 24_000
LONGEST_S = 12.0  # the models were trained on 14 s at most

_NAME = "bark"
_LONGEST_TOKENS = 256
_INSTALL = "install recado with the extra `bark`"
_NO_ROOM = "take another device (BARK_DEVICE) or name fewer models"
_ORDERS = re.compile(r"[\[\]♪]")  # Bark takes [laughs] and ♪ for orders


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Loaded:
    model: Any  # transformers' BarkModel and BarkProcessor, whose own types say too little
    processor: Any
    presets: Mapping[str, Any]  # name → what the processor takes as `voice_preset`


class BarkEngine:
    """Speaks with a checkpoint's presets. `model` is a folder or a hub id that is fetched into `cache_dir`.

    `device` is torch's name of one; None takes CUDA where there is some. A take ends at `cap_ratio` times its expected
    length and a second; the gate refuses what was cut there.
    """

    def __init__(
        self, *, model: str, cache_dir: Path | None = None, device: str | None = None, cap_ratio: float = 2.0
    ) -> None:
        self._source = model
        self._cache_dir = cache_dir
        self._device = device
        self._cap_ratio = cap_ratio
        self._loaded: _Loaded | None = None

    @property
    def info(self) -> EngineInfo:
        """Capabilities; the names are the published ones until a checkpoint with its own is loaded."""
        return EngineInfo(
            name=_NAME,
            model=Path(self._source).name if Path(self._source).is_dir() else self._source,
            licence="MIT",
            languages=frozenset(LANGUAGES),
            sample_rate_hz=SAMPLE_RATE_HZ,
            max_batch=1,
            source_kinds=frozenset({SourceKind.TIMBRE}),
            names=tuple(sorted(self._loaded.presets)) if self._loaded else PRESETS,
            paces=False,
        )

    def load(self) -> None:
        """Read the checkpoint and its presets, and speak a syllable. Raises EngineUnavailable with the cure."""
        if self._loaded is not None:
            return
        try:
            import torch  # noqa: F401, PLC0415 - heavy libraries load on first use
            import transformers  # noqa: PLC0415
        except ImportError as error:
            raise EngineUnavailable(f"Bark needs packages that are not here ({error.name}): {_INSTALL}") from error
        folder = self._folder()
        name, device = self.info.model, chosen_device(self._device, setting="BARK_DEVICE")
        try:
            processor: Any = transformers.BarkProcessor
            processor = processor.from_pretrained(str(folder))
            model: Any = transformers.BarkModel.from_pretrained(str(folder))
            names = [name for name in processor.available_voice_presets if _is_here(processor, name, folder)]
            presets = {name: processor._load_voice_preset(name) for name in names}  # noqa: SLF001 - a turn must not read files
            loaded = _Loaded(model=model.to(device), processor=processor, presets=presets)
            if presets:
                _infer(loaded, "a", next(iter(presets)), longest_s=0.5)
        except Exception as error:
            cure = "BARK_MODEL has to be a folder of one checkpoint in transformers' format, as suno/bark-small is"
            raise load_failure(error, model=name, device=device, room=_NO_ROOM, cure=cure) from error
        if not presets:
            raise EngineUnavailable(f"{name!r} has no speaker presets, and without one each take is a stranger's")
        self._loaded = loaded

    def synthesize(self, batch: Sequence[Utterance]) -> list[PcmAudio | TtsError]:
        """One `(samples,)` float32 at 24 kHz per utterance in order, or what was wrong with it."""
        if self._loaded is None:
            raise EngineUnavailable("Bark is not loaded")
        return [self._one(self._loaded, utterance) for utterance in batch]

    def close(self) -> None:
        """Free the model and the device's memory."""
        if self._loaded is not None:
            self._loaded = None
            free_device_memory()

    def _one(self, loaded: _Loaded, utterance: Utterance) -> PcmAudio | TtsError:
        try:
            return self._spoken(loaded, utterance)
        except TtsError as error:
            return error
        except Exception as error:  # noqa: BLE001 - the boundary to foreign model code: logged, and a value from here on
            _log.exception("bark.failed", voice=utterance.voice.id)
            return translated(error, "Bark")

    def _spoken(self, loaded: _Loaded, utterance: Utterance) -> PcmAudio:
        import torch  # noqa: PLC0415 - loaded since `load`

        if match_language(utterance.language, LANGUAGES) is None:
            raise BadVoice(f"Bark does not speak {utterance.language!r}; valid: {', '.join(LANGUAGES)}")
        preset = self._preset(utterance.voice)
        text = " ".join(_ORDERS.sub(" ", utterance.text).split())
        if not has_word(text):
            raise BadText("the text holds nothing Bark can say")
        pace_s = utterance.expected_s / len(text)
        parts = _pieces(loaded, text, pace_s)
        # The seed is the whole process's: another model must not hear of it.
        devices = [loaded.model.device] if loaded.model.device.type == "cuda" else []
        with torch.random.fork_rng(devices, enabled=utterance.seed is not None):
            if utterance.seed is not None:
                torch.manual_seed(utterance.seed)
            takes = [
                _infer(loaded, part, preset, longest_s=1.0 + pace_s * len(part) * self._cap_ratio) for part in parts
            ]
        if len(takes) == 1:
            return takes[0]
        return join([fade_edges(trim_edges(take)) for take in takes], [CLAUSE_PAUSE_MS] * len(takes))

    def _preset(self, voice: Voice) -> str:
        """The one preset a voice names. Raises BadVoice for a mix: presets are recordings of codes, not vectors."""
        info = self.info
        sources = usable_sources(voice, info)
        if not sources:
            raise BadVoice(f"the voice names no speaker of Bark's; valid: {', '.join(info.names)}")
        heard = normalised(sources)
        if len(heard) > 1:
            raise BadVoice(f"Bark cannot mix speakers, and the voice names {len(heard)}")
        return heard[0][0].ref

    def _folder(self) -> Path:
        """Where the checkpoint lies; a hub id is fetched first, presets included."""
        folder = Path(self._source)
        if folder.is_dir():
            return folder
        try:
            from huggingface_hub import snapshot_download  # noqa: PLC0415 - comes with the extra

            # *.pt are the same weights in Suno's own format.
            return Path(snapshot_download(self._source, cache_dir=self._cache_dir, ignore_patterns=["*.pt"]))
        except (OSError, ValueError) as error:
            raise EngineUnavailable(
                f"BARK_MODEL {self._source!r} is no folder here and could not be fetched from the hub "
                f"({type(error).__name__})"
            ) from error


def _is_here(processor: Any, name: str, folder: Path) -> bool:
    return all((folder / path).is_file() for path in processor.speaker_embeddings[name].values())


def _pieces(loaded: _Loaded, text: str, pace_s: float) -> list[str]:
    """The text in as few halvings as make every piece short enough. Raises BadText where it has no place to part."""
    tokens = len(loaded.processor.tokenizer.encode(text, add_special_tokens=False))
    if tokens <= _LONGEST_TOKENS and len(text) * pace_s <= LONGEST_S:
        return [text]
    parts = halves(text)
    if parts is None:
        raise BadText(f"a word of {len(text)} letters is more than Bark can read at once")
    return [piece for part in parts for piece in _pieces(loaded, part, pace_s)]


def _infer(loaded: _Loaded, text: str, preset: str, *, longest_s: float) -> PcmAudio:
    model = loaded.model
    inputs = loaded.processor(text, voice_preset=loaded.presets[preset]).to(model.device)
    meaning: Mapping[str, Any] = model.generation_config.semantic_config
    tokens = min(math.ceil(longest_s * meaning["semantic_rate_hz"]), meaning["max_new_tokens"])
    pad = meaning["eos_token_id"]  # as transformers would choose, with two log lines for every utterance
    made = model.generate(**inputs, semantic_max_new_tokens=tokens, semantic_pad_token_id=pad, coarse_pad_token_id=pad)
    samples = np.asarray(made.float().cpu().numpy(), dtype=np.float32).ravel()
    if not samples.size or not np.isfinite(samples).all():
        raise EngineFailed("Bark returned no audio, or values that are no numbers")
    audio = PcmAudio(samples=np.clip(samples, -1.0, 1.0), sample_rate_hz=int(model.generation_config.sample_rate))
    return resample(audio, SAMPLE_RATE_HZ)
