"""XTTS v2 (coqui-tts 0.28): voices cloned from samples, one utterance after another. Must not know other engines.

Model card: coqui/XTTS-v2. The weights' licence (CPML) allows non-commercial use only, of the model and of what it
speaks; whoever constructs this engine has accepted it. A voice is two tensors: conditioning latents of the language
model `(1, 32, channels)` and an L2-normed speaker embedding `(1, 512, 1)` of the decoder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import structlog

from tts.audio.pcm import fade_edges, join, trim_edges
from tts.contract import EngineInfo, PcmAudio, PreparedSource, SourceKind, Utterance, Voice, VoiceProfile
from tts.engines.checkpoint_mark import model_name
from tts.engines.torch_device import chosen_device, free_device_memory, load_failure, translated
from tts.engines.torchaudio_on_cpu import allow_torchaudio
from tts.engines.xtts.conditioning import (
    NAME,
    REFERENCE_RATE_HZ,
    Conditioning,
    listen,
    own_speakers,
    packed,
    speaker_of,
    unpacked,
)
from tts.engines.xtts.text import pieces, plain, readable_languages, spelled
from tts.errors import BadText, BadVoice, DeviceLost, EngineFailed, EngineUnavailable, TtsError
from tts.languages import match_language
from tts.text.sentences import CLAUSE_PAUSE_MS, has_word
from tts.voices.likeness import SHORTEST_HEARD_S, compared
from tts.voices.mix import blend, blend_embeddings, normalised
from tts.voices.reference import usable

if TYPE_CHECKING:
    from TTS.tts.models.xtts import Xtts

_log = structlog.get_logger()

CPML = "Coqui Public Model License (CPML)"
SAMPLE_RATE_HZ = 24_000
SPEEDS = (0.5, 2.0)
SHORTEST_REFERENCE_S = 0.33

_TOKENS_PER_S = 22_050 / 1024
_FILES = ("config.json", "model.pth", "vocab.json", "speakers_xtts.pth")
_INSTALL = "install recado with the extra `xtts`"
_NO_ROOM = "take another device (XTTS_DEVICE) or name fewer models"


class XttsEngine:
    """Casts voices from samples, designed clips and the checkpoint's own speakers, and speaks them.

    `model` is a folder with config.json, model.pth and vocab.json, or a hub id that is fetched into `cache_dir`.
    `device` is torch's name of one; None takes CUDA where there is some. `listens` compares every take with its
    profile; without, only those of voices that must resemble. A take ends at `cap_ratio` times its expected length and
    a second, or a model that never stops would speak for 28 s; the gate refuses what was cut there.
    """

    def __init__(
        self,
        *,
        model: str,
        cache_dir: Path | None = None,
        device: str | None = None,
        listens: bool = False,
        cap_ratio: float = 2.5,
    ) -> None:
        self._source = model
        self._cache_dir = cache_dir
        self._device = device
        self._listens = listens
        self._cap_ratio = cap_ratio
        self._name = ""
        self._model: Xtts | None = None
        self._speakers: Mapping[str, Conditioning] = {}

    @property
    def info(self) -> EngineInfo:
        """Capabilities; the checkpoint's own speakers are named once it is loaded."""
        kinds = {SourceKind.SAMPLE, SourceKind.DESIGNED}
        return EngineInfo(
            name=NAME,
            model=self._name or model_name(self._source),
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
            from TTS.tts.configs.xtts_config import XttsConfig  # noqa: PLC0415 - heavy libraries load on first use
            from TTS.tts.models.xtts import Xtts  # noqa: PLC0415
        except ImportError as error:
            raise EngineUnavailable(f"XTTS needs packages that are not here ({error.name}): {_INSTALL}") from error
        name, device = model_name(self._source), chosen_device(self._device, setting="XTTS_DEVICE")
        try:
            config = XttsConfig()
            config.load_json(str(folder / "config.json"))
            model = Xtts(config)
            model.load_checkpoint(config, checkpoint_dir=folder, eval=True)
            model.to(device)
            self._warm(model)
            speakers = own_speakers(model)
        except Exception as error:
            cure = f"XTTS_MODEL has to be a folder with {', '.join(_FILES[:3])} of one XTTS v2 checkpoint"
            raise load_failure(error, model=name, device=device, room=_NO_ROOM, cure=cure) from error
        self._name, self._model, self._speakers = name, model, speakers

    def cast(self, voice: Voice, sources: Sequence[PreparedSource]) -> VoiceProfile:
        """The weighted mix of all sources: latents as they are, embeddings brought back to norm 1.

        Raises BadVoice for a speaker the checkpoint lacks, BadAudio for a reference under 0.33 s.
        """
        model = self._loaded()
        heavy = [_mono(source) for source in sources if source.source.weight != 0]
        weights = [weight for _, weight in normalised([source.source for source in heavy])]
        try:
            parts = [self._conditioning(model, source) for source in heavy]
        except TtsError:
            raise
        except Exception as error:
            raise translated(error, "XTTS") from error
        embedding = blend_embeddings([(part.embedding, weight) for part, weight in zip(parts, weights, strict=True)])
        mixed = Conditioning(
            latent=blend([(part.latent, weight) for part, weight in zip(parts, weights, strict=True)]),
            embedding=embedding / np.linalg.norm(embedding),
        )
        if not (np.isfinite(mixed.latent).all() and np.isfinite(mixed.embedding).all()):
            raise EngineFailed("XTTS made values that are no numbers of this voice")
        facts = [("reference_s", sum(source.audio.duration_s for source in heavy if source.audio is not None))]
        facts += [
            (f"similarity:{source.source.ref}", float(np.vdot(part.embedding, mixed.embedding)))
            for source, part in zip(heavy, parts, strict=True)
        ]
        return VoiceProfile(
            voice_id=voice.id,
            voice_version=voice.version,
            engine=NAME,
            model=self.info.model,
            data=packed(mixed),
            facts=tuple(facts),
        )

    def synthesize(self, batch: Sequence[Utterance]) -> list[PcmAudio | TtsError]:
        """One `(samples,)` float32 at 24 kHz per utterance in order, or what was wrong with it."""
        model = self._loaded()
        return [self._one(model, utterance) for utterance in batch]

    def close(self) -> None:
        """Free the model and the device's memory."""
        self._model = None
        self._name = ""
        self._speakers = {}
        free_device_memory()

    def _loaded(self) -> Xtts:
        if self._model is None:
            raise EngineUnavailable("XTTS is not loaded")
        return self._model

    def _one(self, model: Xtts, utterance: Utterance) -> PcmAudio | TtsError:
        try:
            conditioning = unpacked(utterance.profile, name=self._name, model=model)
            return self._heard(model, self._spoken(model, utterance, conditioning), utterance, conditioning)
        except TtsError as error:
            return error
        except Exception as error:  # noqa: BLE001 - the boundary to foreign model code: logged, and a value from here on
            _log.exception("xtts.failed", voice=utterance.voice.id)
            return translated(error, "XTTS")

    def _spoken(self, model: Xtts, utterance: Utterance, conditioning: Conditioning) -> PcmAudio:
        import torch  # noqa: PLC0415 - loaded since `load`

        language = match_language(utterance.language, self.info.languages)
        if language is None:
            valid = ", ".join(sorted(self.info.languages))
            raise BadVoice(f"XTTS does not speak {utterance.language!r}; valid: {valid}")
        speed = utterance.voice.speed
        if not SPEEDS[0] <= speed <= SPEEDS[1]:
            raise BadVoice(f"speed {speed} is outside {SPEEDS[0]} to {SPEEDS[1]}")
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
        if len(takes) == 1:
            return takes[0]
        return join([fade_edges(trim_edges(take)) for take in takes], [CLAUSE_PAUSE_MS] * len(takes))

    def _heard(self, model: Xtts, take: PcmAudio, utterance: Utterance, voice: Conditioning) -> PcmAudio:
        """The take, with how alike it is to its profile where somebody wants to know. Raises DeviceLost."""
        if not (self._listens or utterance.voice.must_resemble) or take.duration_s < SHORTEST_HEARD_S:
            return take
        try:
            return compared(take, speaker_of(model, take), voice.embedding)
        except Exception as error:
            meaning = translated(error, "XTTS")
            if isinstance(meaning, DeviceLost):
                raise meaning from error
            _log.warning("xtts.take_not_compared", error=type(error).__name__)
            return take

    def _warm(self, model: Xtts) -> None:
        """Speak a syllable, so that the first take finds everything in place."""
        hiss = np.random.default_rng(0).normal(0, 0.1, REFERENCE_RATE_HZ).astype(np.float32)
        voice = listen(model, PcmAudio(samples=hiss, sample_rate_hz=REFERENCE_RATE_HZ))
        self._infer(model, "a", "en", voice, speed=1.0, longest_s=0.5)

    @staticmethod
    def _infer(
        model: Xtts, text: str, language: str, voice: Conditioning, *, speed: float, longest_s: float
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

    def _conditioning(self, model: Xtts, prepared: PreparedSource) -> Conditioning:
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
        return listen(model, prepared.audio)

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


def _mono(prepared: PreparedSource) -> PreparedSource:
    """The source, its audio as XTTS takes it where there is some. Raises BadAudio."""
    if prepared.audio is None:
        return prepared
    return replace(prepared, audio=usable(prepared, engine="XTTS", shortest_s=SHORTEST_REFERENCE_S))


def _readable(model: Xtts, text: str, language: str) -> list[str]:
    """The text in pieces that the tokenizer takes whole and the model was trained to read at once."""
    if not has_word(text):
        raise BadText("the text holds nothing XTTS can say")
    try:
        model.tokenizer.encode(text.lower(), lang=language)
    except (NotImplementedError, OverflowError):  # a number that its speller does not know
        text = spelled(text, language)
    letters: int = model.tokenizer.char_limits[language]
    tokens: int = model.args.gpt_max_text_tokens - 2

    def fits(piece: str) -> bool:
        return len(piece) <= letters and len(model.tokenizer.encode(piece.lower(), lang=language)) <= tokens

    return pieces(text, fits=fits)
