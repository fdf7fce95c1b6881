"""XTTS v2 (coqui-tts 0.28): voices cloned from samples, one utterance after another. Must not know other engines.

Model card: coqui/XTTS-v2. The weights' licence (CPML) allows non-commercial use only, of the model and of what it
speaks; whoever constructs this engine has accepted it. A voice is two tensors: conditioning latents of the language
model `(1, 32, channels)` and an L2-normed speaker embedding `(1, 512, 1)` of the decoder.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tts.audio.pcm import fade_edges, join, resample, trim_edges
from tts.contract import EngineInfo, PcmAudio, PreparedSource, SourceKind, Utterance, Voice, VoiceProfile
from tts.engines.torchaudio_on_cpu import allow_torchaudio
from tts.engines.xtts.text import pieces, plain, readable_languages
from tts.errors import BadAudio, BadText, BadVoice, EngineFailed, EngineOverloaded, EngineUnavailable, TtsError
from tts.languages import match_language
from tts.text.sentences import CLAUSE_PAUSE_MS, has_word
from tts.voices.mix import blend, blend_embeddings, normalised

if TYPE_CHECKING:
    import torch
    from TTS.tts.models.xtts import Xtts

CPML = "Coqui Public Model License (CPML)"
SAMPLE_RATE_HZ = 24_000
SPEEDS = (0.5, 2.0)
SHORTEST_REFERENCE_S = 0.33

_NAME = "xtts"
_REFERENCE_RATE_HZ = 22_050
_TOKENS_PER_S = 22_050 / 1024
_LATENT, _EMBEDDING = "gpt_cond_latent", "speaker_embedding"
_FILES = ("config.json", "model.pth", "vocab.json", "speakers_xtts.pth")
_INSTALL = "install recado with the extra `xtts`"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Conditioning:
    """What XTTS makes of a reference. Both float32: `latent` `(1, 32, channels)`, `embedding` `(1, 512, 1)`."""

    latent: NDArray[np.float32]
    embedding: NDArray[np.float32]


class XttsEngine:
    """Casts voices from samples, designed clips and the checkpoint's own speakers, and speaks them.

    `model` is a folder with config.json, model.pth and vocab.json, or a hub id that is fetched into `cache_dir`.
    `device` is torch's name of one; None takes CUDA where there is some. A take ends at `cap_ratio` times its expected
    length and a second, or a model that never stops would speak for 28 s; the gate refuses what was cut there.
    """

    def __init__(
        self, *, model: str, cache_dir: Path | None = None, device: str | None = None, cap_ratio: float = 2.5
    ) -> None:
        self._source = model
        self._cache_dir = cache_dir
        self._device = device
        self._cap_ratio = cap_ratio
        self._model: Xtts | None = None
        self._speakers: Mapping[str, _Conditioning] = {}

    @property
    def info(self) -> EngineInfo:
        """Capabilities; the checkpoint's own speakers are named once it is loaded."""
        kinds = {SourceKind.SAMPLE, SourceKind.DESIGNED}
        return EngineInfo(
            name=_NAME,
            model=Path(self._source).name if Path(self._source).is_dir() else self._source,
            licence=f"{CPML}: non-commercial, model and outputs",
            languages=readable_languages(),
            sample_rate_hz=SAMPLE_RATE_HZ,
            max_batch=1,
            source_kinds=frozenset(kinds | {SourceKind.TIMBRE} if self._speakers else kinds),
            names=tuple(sorted(self._speakers)),
        )

    def load(self) -> None:
        """Read the checkpoint (1.9 GB) and speak a syllable. Raises EngineUnavailable with the cure."""
        if self._model is not None:
            return
        folder = self._folder()
        try:
            allow_torchaudio()
            import torch  # noqa: PLC0415 - heavy libraries load on first use
            from TTS.tts.configs.xtts_config import XttsConfig  # noqa: PLC0415
            from TTS.tts.models.xtts import Xtts  # noqa: PLC0415
        except ImportError as error:
            raise EngineUnavailable(f"XTTS needs packages that are not here ({error.name}): {_INSTALL}") from error
        try:
            config = XttsConfig()
            config.load_json(str(folder / "config.json"))
            model = Xtts(config)
            model.load_checkpoint(config, checkpoint_dir=folder, eval=True)
            model.to(self._device or ("cuda" if torch.cuda.is_available() else "cpu"))
        except (OSError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
            raise EngineUnavailable(
                f"XTTS could not load {self.info.model!r} ({type(error).__name__}): XTTS_MODEL has to be a folder with "
                f"{', '.join(_FILES[:3])} of one XTTS v2 checkpoint"
            ) from error
        hiss = np.random.default_rng(0).normal(0, 0.1, _REFERENCE_RATE_HZ).astype(np.float32)
        warm = self._listen(model, PcmAudio(samples=hiss, sample_rate_hz=_REFERENCE_RATE_HZ))
        self._infer(model, "a", "en", warm, speed=1.0, longest_s=0.5)
        self._speakers = _own_speakers(model)
        self._model = model

    def cast(self, voice: Voice, sources: Sequence[PreparedSource]) -> VoiceProfile:
        """The weighted mix of all sources: latents as they are, embeddings brought back to norm 1.

        Raises BadVoice for a speaker the checkpoint lacks, BadAudio for a reference under 0.33 s.
        """
        model = self._loaded()
        heavy = [source for source in sources if source.source.weight != 0]
        weights = [weight for _, weight in normalised([source.source for source in heavy])]
        try:
            parts = [self._conditioning(model, source) for source in heavy]
        except RuntimeError as error:
            raise _translated(error) from error
        embedding = blend_embeddings([(part.embedding, weight) for part, weight in zip(parts, weights, strict=True)])
        mixed = _Conditioning(
            latent=blend([(part.latent, weight) for part, weight in zip(parts, weights, strict=True)]),
            embedding=embedding / np.linalg.norm(embedding),
        )
        facts = [("reference_s", sum(source.audio.duration_s for source in heavy if source.audio is not None))]
        facts += [
            (f"similarity:{source.source.ref}", float(np.vdot(part.embedding, mixed.embedding)))
            for source, part in zip(heavy, parts, strict=True)
        ]
        return VoiceProfile(
            voice_id=voice.id,
            voice_version=voice.version,
            engine=_NAME,
            model=self.info.model,
            data=_packed(mixed),
            facts=tuple(facts),
        )

    def synthesize(self, batch: Sequence[Utterance]) -> list[PcmAudio | TtsError]:
        """One `(samples,)` float32 at 24 kHz per utterance in order, or what was wrong with it."""
        model = self._loaded()
        return [self._one(model, utterance) for utterance in batch]

    def close(self) -> None:
        """Free the model and the device's memory."""
        self._model = None
        self._speakers = {}
        _free_device_memory()

    def _loaded(self) -> Xtts:
        if self._model is None:
            raise EngineUnavailable("XTTS is not loaded")
        return self._model

    def _one(self, model: Xtts, utterance: Utterance) -> PcmAudio | TtsError:
        import torch  # noqa: PLC0415 - loaded since `load`

        try:
            language = match_language(utterance.language, self.info.languages)
            if language is None:
                valid = ", ".join(sorted(self.info.languages))
                raise BadVoice(f"XTTS does not speak {utterance.language!r}; valid: {valid}")
            speed = utterance.voice.speed
            if not SPEEDS[0] <= speed <= SPEEDS[1]:
                raise BadVoice(f"speed {speed} is outside {SPEEDS[0]} to {SPEEDS[1]}")
            conditioning = self._unpacked(utterance.profile)
            parts = _readable(model, plain(utterance.text), language)
            pace_s = utterance.expected_s * self._cap_ratio / sum(map(len, parts))
            # The seed is the whole process's: another model must not hear of it.
            devices = [model.device] if model.device.type == "cuda" else []
            with torch.random.fork_rng(devices, enabled=utterance.seed is not None):
                if utterance.seed is not None:
                    torch.manual_seed(utterance.seed)
                takes = [
                    self._infer(model, part, language, conditioning, speed=speed, longest_s=1.0 + pace_s * len(part))
                    for part in parts
                ]
        except TtsError as error:
            return error
        except RuntimeError as error:  # torch's own errors derive from it
            return _translated(error)
        if len(takes) == 1:
            return takes[0]
        return join([fade_edges(trim_edges(take)) for take in takes], [CLAUSE_PAUSE_MS] * len(takes))

    @staticmethod
    def _infer(
        model: Xtts, text: str, language: str, voice: _Conditioning, *, speed: float, longest_s: float
    ) -> PcmAudio:
        import torch  # noqa: PLC0415 - loaded since `load`

        # `inference` knows no other limit that transformers takes without a warning for every utterance.
        model.gpt.max_gen_mel_tokens = min(
            math.ceil(longest_s * speed * _TOKENS_PER_S), model.args.gpt_max_audio_tokens - 3
        )
        config = model.config
        made = model.inference(
            text,
            language,
            torch.from_numpy(voice.latent),
            torch.from_numpy(voice.embedding),
            temperature=config.temperature,
            length_penalty=config.length_penalty,
            repetition_penalty=config.repetition_penalty,
            top_k=config.top_k,
            top_p=config.top_p,
            speed=speed,
        )
        samples = np.asarray(made["wav"], dtype=np.float32).ravel()
        if not np.isfinite(samples).all():
            raise EngineFailed("XTTS returned values that are no numbers")
        return PcmAudio(samples=np.clip(samples, -1.0, 1.0), sample_rate_hz=SAMPLE_RATE_HZ)

    def _conditioning(self, model: Xtts, prepared: PreparedSource) -> _Conditioning:
        source = prepared.source
        if source.kind is SourceKind.TIMBRE:
            if source.ref not in self._speakers:
                valid = ", ".join(sorted(self._speakers)) or "none"
                raise BadVoice(f"XTTS has no speaker {source.ref!r}; valid: {valid}")
            return self._speakers[source.ref]
        if source.kind not in self.info.source_kinds:
            raise BadVoice(f"XTTS makes no voice of a {source.kind}; it takes samples, designed clips and its speakers")
        if prepared.audio is None:
            raise BadVoice(f"the audio of {source.ref!r} is missing")
        if prepared.audio.duration_s < SHORTEST_REFERENCE_S:
            raise BadAudio(
                f"the reference {source.ref!r} is {prepared.audio.duration_s:.2f} s long; XTTS needs "
                f"{SHORTEST_REFERENCE_S} s"
            )
        return self._listen(model, prepared.audio)

    @staticmethod
    def _listen(model: Xtts, audio: PcmAudio) -> _Conditioning:
        """Latents of the first seconds that the checkpoint's configuration wants, averaged over its chunks."""
        import torch  # noqa: PLC0415 - loaded since `load`

        config = model.config
        samples = torch.from_numpy(resample(audio, _REFERENCE_RATE_HZ).samples)[None]
        latent = model.get_gpt_cond_latents(
            samples, _REFERENCE_RATE_HZ, length=config.gpt_cond_len, chunk_length=config.gpt_cond_chunk_len
        )
        reference = samples[:, : config.max_ref_len * _REFERENCE_RATE_HZ]
        embedding = model.get_speaker_embedding(reference, _REFERENCE_RATE_HZ)
        return _Conditioning(latent=_array(latent), embedding=_array(embedding))

    def _unpacked(self, profile: VoiceProfile | None) -> _Conditioning:
        from safetensors.numpy import load  # noqa: PLC0415 - comes with the extra

        if profile is None:
            raise BadVoice("the voice has not been cast for XTTS")
        if (profile.engine, profile.model) != (_NAME, self.info.model):
            raise BadVoice(f"the profile was made by {profile.engine} {profile.model}, not by {self.info.model}")
        tensors = load(profile.data)
        return _Conditioning(latent=tensors[_LATENT], embedding=tensors[_EMBEDDING])

    def _folder(self) -> Path:
        """Where the checkpoint lies; a hub id is fetched first."""
        folder = Path(self._source)
        if folder.is_dir():
            return folder
        try:
            from huggingface_hub import snapshot_download  # noqa: PLC0415 - comes with the extra

            return Path(snapshot_download(self._source, cache_dir=self._cache_dir, allow_patterns=list(_FILES)))
        except ImportError as error:
            raise EngineUnavailable(f"XTTS needs packages that are not here ({error.name}): {_INSTALL}") from error
        except (OSError, ValueError) as error:
            raise EngineUnavailable(
                f"XTTS_MODEL {self._source!r} is no folder here and could not be fetched from the hub "
                f"({type(error).__name__})"
            ) from error


def _readable(model: Xtts, text: str, language: str) -> list[str]:
    """The text in pieces that the tokenizer takes whole and the model was trained to read at once."""
    if not has_word(text):
        raise BadText("the text holds nothing XTTS can say")
    letters: int = model.tokenizer.char_limits[language]
    tokens: int = model.args.gpt_max_text_tokens - 2

    def fits(piece: str) -> bool:
        return len(piece) <= letters and len(model.tokenizer.encode(piece.lower(), lang=language)) <= tokens

    return pieces(text, fits=fits)


def _own_speakers(model: Xtts) -> dict[str, _Conditioning]:
    speakers: Mapping[str, Mapping[str, Any]] = model.speaker_manager.speakers if model.speaker_manager else {}
    return {
        name: _Conditioning(latent=_array(tensors[_LATENT]), embedding=_array(tensors[_EMBEDDING]))
        for name, tensors in speakers.items()
    }


def _packed(conditioning: _Conditioning) -> bytes:
    from safetensors.numpy import save  # noqa: PLC0415 - comes with the extra

    return save({_LATENT: conditioning.latent, _EMBEDDING: conditioning.embedding})


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().cpu().numpy().astype(np.float32)
    return array


def _translated(error: RuntimeError) -> TtsError:
    """Out of memory is told apart from failure, and gives back what the device can give."""
    import torch  # noqa: PLC0415 - loaded since `load`

    if isinstance(error, torch.OutOfMemoryError):
        _free_device_memory()
        translated: TtsError = EngineOverloaded("the device has no memory left for XTTS", retry_after_s=5.0)
    else:
        translated = EngineFailed(f"XTTS raised {type(error).__name__}")
    translated.__cause__ = error
    return translated


def _free_device_memory() -> None:
    try:
        import torch  # noqa: PLC0415 - heavy libraries load on first use
    except ImportError:
        return
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
