"""The words `tts` speaks: voices, utterances, audio, engines. Data and Protocols, no I/O, no engine.

Audio is always mono `(samples,)` float32 in [-1, 1] with its rate beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tts.errors import TtsError

VOICE_NOTE_MIME = "audio/ogg; codecs=opus"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PcmAudio:
    """Mono audio: `samples` is `(n,)` float32 in [-1, 1]."""

    samples: NDArray[np.float32]
    sample_rate_hz: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate_hz


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Take(PcmAudio):
    """Audio whose engine also told how alike it is to its voice: the cosine of their embeddings by its own encoder."""

    own_similarity: float


class SourceKind(StrEnum):
    """What a part of a voice's mix is made of; every engine declares which kinds it takes."""

    STYLE = "style"  # a named style vector of a light engine
    TIMBRE = "timbre"  # a named speaker a large model was trained with
    SAMPLE = "sample"  # recorded audio of a person who consented
    DESIGNED = "designed"  # a clip designed once from the voice prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceSource:
    """One weighted part of a voice. `ref` is a style or timbre name, or a blob id; `weight` ≥ 0, any scale."""

    kind: SourceKind
    ref: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How a persona sounds, as data; engines make a profile of it.

    `stand_in` names styles for engines that know neither prompt nor sample; a voice without one is not spoken by such
    engines. A voice that `must_resemble` is not heard when it does not sound like its sources: another engine is asked,
    and in the end the answer is written. `speed` is a factor, 0.5 to 2 (1.0 = the engine's own pace). `version` grows
    with every change that can be heard.
    """

    id: str
    language: str
    prompt: str = ""
    sources: tuple[VoiceSource, ...] = ()
    stand_in: tuple[VoiceSource, ...] = ()
    speed: float = 1.0
    engines: tuple[str, ...] = ()  # order of preference; empty: the installation's order
    seed: int | None = None
    version: int = 1
    must_resemble: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparedSource:
    """A source of a voice, ready for an engine: samples and designed clips bring their prepared audio.

    `audio` is trimmed, loudness-normalised mono; `transcript` covers all of it. Names (timbre, style) have neither.
    """

    source: VoiceSource
    audio: PcmAudio | None = None
    transcript: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceProfile:
    """What an engine made of a voice: `data` is the engine's own safetensors, good only for this engine and model.

    `facts` are numbers worth showing (similarity of each source to the blend, seconds of reference, …).
    """

    voice_id: str
    voice_version: int
    engine: str
    model: str
    data: bytes = field(repr=False)
    facts: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One segment to be spoken in one voice. `text` is already words; at most 500 characters.

    `expected_s` is its length at the pace it is asked for: the voice's, or the engine's own where `EngineInfo.paces` is
    False. `profile` is there whenever the engine is a CastingEngine.
    """

    text: str
    language: str
    voice: Voice
    expected_s: float
    seed: int | None = None
    profile: VoiceProfile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What an engine is and can do, as data. Empty `languages` means any."""

    name: str
    model: str
    licence: str
    languages: frozenset[str]
    sample_rate_hz: int
    max_batch: int
    source_kinds: frozenset[SourceKind]
    designs: bool = False
    paces: bool = True  # speaks at `Voice.speed`; without, its takes are stretched
    deterministic: bool = False  # another seed changes nothing, so a rejected take is not tried again
    names: tuple[str, ...] = ()  # styles or timbres that `VoiceSource.ref` may name


class Engine(Protocol):
    """Speaks utterances. As many threads call it as its `EngineEntry` is wide, mostly one; it may block for seconds."""

    @property
    def info(self) -> EngineInfo:
        """Capabilities; callable before `load`."""
        ...

    def load(self) -> None:
        """Bring the model into memory and warm it; idempotent. Raises EngineUnavailable with the cure."""
        ...

    def synthesize(self, batch: Sequence[Utterance]) -> list[PcmAudio | TtsError]:
        """One result per utterance in order; a failing item is a value and costs its neighbours nothing."""
        ...

    def close(self) -> None:
        """Free the model; `load` may follow."""
        ...


@runtime_checkable
class CastingEngine(Engine, Protocol):
    """An engine that makes a profile of a voice once and speaks with it from then on. Same thread as `synthesize`."""

    def cast(self, voice: Voice, sources: Sequence[PreparedSource]) -> VoiceProfile:
        """The profile of `voice` from its prepared sources (one or more), weights normalised inside.

        Raises BadVoice, BadAudio.
        """
        ...


@runtime_checkable
class SelectiveEngine(Engine, Protocol):
    """An engine of several models. `load` brings all that speak into memory, `load_for` those that are needed.

    Models are asked for by the kinds of sources that voices are made of, and by `designing`.
    """

    def ready_for(self, kinds: frozenset[SourceKind]) -> bool:
        """Whether all that speaks voices made of `kinds` is in memory. Any thread may ask."""
        ...

    def fetch(self, kinds: frozenset[SourceKind] = frozenset(), *, designing: bool = False) -> None:
        """Bring these models onto this machine's disk where they are not; minutes. Any thread may call it.

        Raises EngineUnavailable.
        """
        ...

    def load_for(self, kinds: frozenset[SourceKind] = frozenset(), *, designing: bool = False) -> None:
        """Bring these models into memory, warm; idempotent, nothing for none. Raises EngineUnavailable."""
        ...


@runtime_checkable
class DesigningEngine(Engine, Protocol):
    """An engine that makes a reference clip from a voice prompt, once, when a voice is created."""

    def design(self, prompt: str, *, text: str, language: str, seed: int) -> PcmAudio:
        """A clip that says `text` in the voice of the prompt. Raises EngineUnavailable without a design model."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of one engine for one note: what happened, why, and how long it took."""

    engine: str
    outcome: str  # "ok", "skipped" or an error class name
    reason: str = ""
    latency_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Where a note's time went, in seconds."""

    plan_s: float
    queue_s: float
    generate_s: float
    gate_s: float
    encode_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What a note was made of, as numbers and marks that tell nobody's words.

    `prompt_mark` is the beginning of the prompt's SHA-256, empty without one. `profile` says where the voice profile
    came from (memory, store, made; empty when the engine needs none). `batch_size` is the largest batch a segment was
    spoken in; `gpu_memory_bytes` is None without a GPU in this process. `sources` are what the engine was given of the
    voice, as "kind:ref"; `watermarked` says that the sound itself is marked as synthetic.
    """

    sample_count: int = 0
    prompt_mark: str = ""
    profile: str = ""
    batch_size: int = 0
    gpu_memory_bytes: int | None = None
    sources: tuple[str, ...] = ()
    watermarked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceNote:
    """A finished note: one Ogg/Opus mono stream (or another container when asked), validated by reading it back.

    `peaks` are 64 levels 0..100 for drawing; `spoken` is what was said, one entry a segment; `scores` are the gate's,
    of each the worst among the segments. `id` names this note and no other, also where the same is said again.
    """

    data: bytes = field(repr=False)
    mime: str
    duration_s: float
    sample_rate_hz: int
    peaks: tuple[int, ...]
    sha256: str
    voice_id: str
    voice_version: int
    language: str
    engine: str
    model: str
    spoken: tuple[str, ...] = field(repr=False)
    truncated: bool
    attempts: tuple[Attempt, ...]
    timings: Timings
    loudness_dbfs: float
    making: Making = Making()
    scores: tuple[tuple[str, float], ...] = ()
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What was heard: `text` may be empty when nothing could be understood; probabilities in [0, 1]."""

    text: str = field(repr=False)
    language: str
    language_probability: float
    audio_s: float
    confidence: float


class Transcriber(Protocol):
    """Turns speech into text."""

    async def start(self) -> None:
        """Load what is needed, so that the first call is as quick as the next; idempotent."""
        ...

    async def close(self) -> None:
        """Free it again."""
        ...

    async def transcribe(self, data: bytes, *, language: str | None, among: Sequence[str] = ()) -> Transcript:
        """`data` is any audio container; `language` None means detect, of those `among` if there are any.

        `language_probability` is what the detection gave the language that was chosen. Raises BadAudio or EngineFailed.
        """
        ...


class BlobStore(Protocol):
    """Keeps bytes under hashed names; names are never given by users."""

    async def put(self, data: bytes) -> str:
        """Store and return the blob id (a hash of the content): the same bytes give the same id."""
        ...

    async def get(self, blob_id: str) -> bytes:
        """The bytes, or KeyError when they are gone."""
        ...

    async def delete(self, blob_id: str) -> None:
        """Forget them; unknown ids are no error."""
        ...

    async def sweep(self, *, older_than_s: float, keep: frozenset[str]) -> int:
        """Delete blobs older than that and not in `keep`; how many went."""
        ...
