"""Everything about speaking and hearing that an installation may set. The only reader of the environment in `tts`.

Names are the environment's, in lower case; `.env` is read too; keys it does not know belong to others.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tts.audio.opus import OpusApplication, OpusChoices
from tts.breaker import BreakerPolicy
from tts.checks.signal import GateLimits
from tts.speech_address import SpeechAddress, parse_address
from tts.voices.design import DESIGN_PROMPT_DEFAULT


class EngineName(StrEnum):
    """Every engine an order may name, whether or not this installation can run it."""

    QWEN3 = "qwen3"
    REMOTE = "remote"
    XTTS = "xtts"
    BARK = "bark"
    KOKORO = "kokoro"
    ESPEAK = "espeak"


class TtsSettings(BaseSettings):
    """Validated settings; a wrong value is refused at start with its name and the valid ones."""

    model_config = SettingsConfigDict(
        env_file=".env",
        extra="ignore",
        env_ignore_empty=True,
        frozen=True,
        hide_input_in_errors=True,  # the input may be a key
    )

    tts_engines: Annotated[tuple[EngineName, ...], NoDecode] = Field(
        default=(EngineName.QWEN3, EngineName.REMOTE, EngineName.XTTS, EngineName.KOKORO),
        min_length=1,
        description="Engines in order of preference, comma-separated: qwen3, remote, xtts, bark, kokoro, espeak. "
        "One that is not configured is skipped; espeak speaks only when named.",
    )
    model_cache_dir: Path = Field(
        default=Path(".recado/models"), description="Folder for models that are fetched or assembled."
    )

    qwen3_size: Literal["1.7B", "0.6B"] | None = Field(
        default=None,
        description="Size of Qwen3-TTS: 1.7B or 0.6B. Set, the published models of that size stand in for those not "
        "named below; designing is always 1.7B. Unset, only what is named is used.",
    )
    qwen3_base_model: str | None = Field(
        default=None,
        description="Folder or hub id of the Base model: speaks voices made of samples and designed clips.",
    )
    qwen3_custom_model: str | None = Field(
        default=None, description="Folder or hub id of the CustomVoice model: speaks its own timbres."
    )
    qwen3_design_model: str | None = Field(
        default=None, description="Folder or hub id of the VoiceDesign model: makes a voice of its prompt, once."
    )
    qwen3_device: str | None = Field(
        default=None, description="Torch device of Qwen3-TTS, such as cuda:0 or cpu. Unset: CUDA where there is some."
    )
    qwen3_dtype: Literal["bfloat16", "float16", "float32"] | None = Field(
        default=None,
        description="Numbers Qwen3-TTS counts with: bfloat16, float16 or float32. Unset: bfloat16 on CUDA where it "
        "can, float32 on a CPU.",
    )
    qwen3_attention: Literal["sdpa", "eager", "flash_attention_2"] = Field(
        default="sdpa", description="Attention of Qwen3-TTS: sdpa, eager or flash_attention_2."
    )
    qwen3_voice_prompt_default: str = Field(
        default=DESIGN_PROMPT_DEFAULT, min_length=1, description="Voice prompt of a designed voice that has none."
    )
    qwen3_max_batch: int = Field(default=16, ge=1, description="Most segments Qwen3-TTS speaks together.")
    qwen3_runaway_factor: float = Field(
        default=2.5,
        gt=1,
        description="A take of Qwen3-TTS longer than this multiple of its expected length, and a second, is rejected.",
    )
    qwen3_same_speaker: float = Field(
        default=0.85, ge=0, le=1, description="Likeness (cosine) from which the samples of a mix count as one person's."
    )
    qwen3_icl: bool = Field(
        default=True,
        description="Whether Qwen3-TTS also continues the samples' sound and words (ICL) when all are one person's and "
        "written down: closer to them, and slower the longer they are.",
    )

    xtts_model: str | None = Field(
        default=None, description="Folder or hub id of an XTTS v2 checkpoint. Unset: XTTS is not configured."
    )
    xtts_accept_cpml: bool = Field(
        default=False,
        description="Accepts the Coqui Public Model License (CPML) of XTTS v2's weights: non-commercial use only, of "
        "the model and of everything it speaks. XTTS stays out of use without it.",
    )
    xtts_device: str | None = Field(
        default=None, description="Torch device of XTTS, such as cuda:0 or cpu. Unset: CUDA where there is some."
    )

    bark_model: str | None = Field(
        default=None, description="Folder or hub id of a Bark checkpoint. Unset: Bark is not configured."
    )
    bark_device: str | None = Field(
        default=None, description="Torch device of Bark, such as cuda:0 or cpu. Unset: CUDA where there is some."
    )

    qwen3_api_url: Annotated[tuple[SpeechAddress, ...], NoDecode] = Field(
        default=(),
        description="Speech servers of the engine remote, comma-separated as dialect=url; dialects: openai, vllm-omni, "
        "recado. Unset: remote is not configured.",
    )
    qwen3_api_key: SecretStr | None = Field(
        default=None,
        description="Key for QWEN3_API_URL. With several servers one key each, comma-separated in their order, empty "
        "for none; a single key goes to all of them.",
    )
    qwen3_api_model: str = Field(
        default="", description="Model name for openai servers of QWEN3_API_URL. Unset: the one model a server lists."
    )
    qwen3_api_connect_timeout_s: float = Field(
        default=3.0, gt=0, description="Longest wait for a connection to a speech server, in seconds."
    )
    qwen3_api_read_timeout_s: float = Field(
        default=15.0,
        gt=0,
        description="Longest silence of a speech server, its work included, in seconds; at most half of "
        "VOICE_DEADLINE_S, so that another server can still be asked.",
    )
    qwen3_api_timeout_s: float = Field(
        default=90.0,
        gt=0,
        description="Longest wait for a batch from speech servers, retries included, in seconds; below "
        "TTS_BATCH_DEADLINE_S.",
    )

    kokoro_threads: int = Field(default=2, ge=1, description="CPU threads of the embedded voice.")
    kokoro_model_path: Path | None = Field(
        default=None,
        description="ONNX file to use in place of the packaged Kokoro model, or a folder with model.onnx, voices.npz "
        "and vocab.json in place of all its packages.",
    )

    stt_base_url: str | None = Field(
        default=None,
        description="OpenAI-compatible endpoint that transcribes, up to and including /v1. Unset: embedded Whisper.",
    )
    stt_api_key: SecretStr | None = Field(default=None, description="Key for STT_BASE_URL.")
    stt_model: str = Field(default="whisper-1", description="Model name for STT_BASE_URL.")
    stt_timeout_s: float = Field(default=30.0, gt=0, description="Longest wait for one transcription, in seconds.")
    whisper_model: str | None = Field(
        default=None, description="Folder or hub id of a CTranslate2 Whisper model. Unset: the packaged base model."
    )
    whisper_threads: int = Field(default=2, ge=1, description="CPU threads of the embedded hearing.")
    hearing_max_s: float = Field(default=600.0, gt=0, description="Longest audio that is transcribed, in seconds.")

    opus_bitrate_bps: int = Field(
        default=24_000, ge=6_000, le=128_000, description="Bit rate of voice notes in bit/s; falls for long notes."
    )
    opus_frame_ms: int = Field(default=60, description="Length of an Opus packet in ms: 20, 40 or 60.")
    opus_sample_rate_hz: int = Field(
        default=16_000, description="Sample rate handed to the Opus encoder in Hz: 8000, 12000, 16000, 24000 or 48000."
    )
    opus_application: OpusApplication = Field(
        default=OpusApplication.AUDIO, description="What the Opus encoder favours: audio or voip."
    )
    note_tags: bool = Field(
        default=True,
        description="Notes say in their Ogg tags that they are synthetic speech and which provenance record is theirs.",
    )
    watermark: bool = Field(
        default=False,
        description="on: a mark hidden in the sound says that it is synthetic (needs the extra watermark).",
    )
    note_max_bytes: int = Field(
        default=512_000, ge=10_000, description="Largest voice note in bytes; above it phones show a download icon."
    )

    tts_batch_max: int = Field(default=16, ge=1, description="Most segments spoken together by an engine that batches.")
    tts_batch_wait_ms: int = Field(
        default=30, ge=0, description="How long a segment waits for others to be spoken with, in ms."
    )
    tts_batch_deadline_s: float = Field(
        default=120.0,
        gt=0,
        description="Longest time one batch may take, in seconds; then the engine counts as hung and the worker exits.",
    )
    tts_load_deadline_s: float = Field(
        default=1800.0,
        gt=0,
        description="Longest time a model may take to be fetched and loaded while the worker runs, in seconds.",
    )
    tts_queue_max: int = Field(default=512, ge=1, description="Most segments waiting for one engine.")
    tts_takes: int = Field(default=2, ge=1, le=5, description="Tries of one engine before the next one is asked.")

    gate_min_ratio: float = Field(
        default=0.4, gt=0, description="Shortest accepted take, as a part of its expected length."
    )
    gate_max_ratio: float = Field(default=2.2, gt=1, description="Longest accepted take, as a multiple of it.")
    gate_slack_s: float = Field(
        default=0.8, ge=0, description="Seconds of difference that are always accepted: short words vary most."
    )
    gate_min_level_dbfs: float = Field(
        default=-45.0, lt=0, description="Quietest accepted speech level, in dB below full scale."
    )
    gate_max_gap_s: float = Field(default=2.5, gt=0, description="Longest accepted silence inside a take, in seconds.")
    gate_max_clipped: float = Field(
        default=0.005, ge=0, le=1, description="Largest accepted part of samples at full scale."
    )
    gate_max_repetition: float = Field(
        default=0.9, gt=0, le=1, description="Highest accepted self-similarity; a stuck engine comes close to 1."
    )
    gate_max_drone_s: float = Field(
        default=1.2, gt=0, description="Longest accepted stretch of one unchanging sound inside a take, in seconds."
    )
    gate_asr: bool = Field(
        default=False,
        description="on: every take is written down again and compared with its text (costs about a tenth of its "
        "length on the CPU).",
    )
    gate_asr_max_cer: float = Field(
        default=0.25, gt=0, description="Highest accepted part of letters that were heard differently."
    )
    gate_similarity: bool = Field(
        default=False,
        description="on: every take is compared with its voice: by the engine's own encoder where it has one, and with "
        "the voice's recordings where the extra similarity is installed. Voices that must resemble are compared in any "
        "case.",
    )
    gate_similarity_min: float = Field(
        default=0.7,
        gt=-1,
        le=1,
        description="Lowest accepted similarity of a take to its voice: one speaker's takes have 0.79 and more, two "
        "speakers' 0.6 and less.",
    )

    gate_own_similarity_min: float | None = Field(
        default=None,
        gt=-1,
        le=1,
        description="Lowest accepted similarity by the encoder of the engine itself (qwen3 and xtts have one). Unset: "
        "it is kept with the note and refuses nothing; look at those of your own voices before you set it.",
    )

    breaker_failures: int = Field(default=5, ge=1, description="Failures in the window that stop asking an engine.")
    breaker_window_s: float = Field(default=60.0, gt=0, description="Window in which failures count, in seconds.")
    breaker_recovery_s: float = Field(
        default=30.0, gt=0, description="Pause before a stopped engine gets one trial, in seconds."
    )

    @field_validator("tts_engines", mode="before")
    @classmethod
    def _split_engines(cls, value: object) -> object:
        names = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        if isinstance(names, list | tuple):
            unknown = [str(name) for name in names if name not in set(EngineName)]
            if unknown:
                raise ValueError(f"unknown engine {', '.join(unknown)}; valid: {', '.join(EngineName)}")
            return tuple(dict.fromkeys(names))
        return names

    @field_validator("qwen3_api_url", mode="before")
    @classmethod
    def _split_addresses(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(dict.fromkeys(parse_address(part) for part in value.split(",") if part.strip()))

    @model_validator(mode="after")
    def _keys_match_addresses(self) -> Self:
        keys, addresses = len(self._written_keys()), len(self.qwen3_api_url)
        if keys > 1 and keys != addresses:
            raise ValueError(f"QWEN3_API_KEY holds {keys} keys for the {addresses} addresses of QWEN3_API_URL")
        return self

    @field_validator("opus_frame_ms")
    @classmethod
    def _known_frame(cls, value: int) -> int:
        return _one_of(value, (20, 40, 60))

    @field_validator("opus_sample_rate_hz")
    @classmethod
    def _known_rate(cls, value: int) -> int:
        return _one_of(value, (8_000, 12_000, 16_000, 24_000, 48_000))

    @property
    def qwen3_api_keys(self) -> tuple[str, ...]:
        """One key for each address of `qwen3_api_url`, "" for none."""
        keys = self._written_keys()
        return tuple(keys) if len(keys) > 1 else tuple(keys or [""]) * len(self.qwen3_api_url)

    def _written_keys(self) -> list[str]:
        written = self.qwen3_api_key.get_secret_value() if self.qwen3_api_key else ""
        return [key.strip() for key in written.split(",")] if written else []

    @property
    def opus(self) -> OpusChoices:
        """How notes are encoded."""
        return OpusChoices(
            bitrate_bps=self.opus_bitrate_bps,
            frame_ms=self.opus_frame_ms,
            sample_rate_hz=self.opus_sample_rate_hz,
            application=self.opus_application,
            max_bytes=self.note_max_bytes,
        )

    @property
    def gate(self) -> GateLimits:
        """What a take must keep to."""
        return GateLimits(
            min_ratio=self.gate_min_ratio,
            max_ratio=self.gate_max_ratio,
            slack_s=self.gate_slack_s,
            min_level_dbfs=self.gate_min_level_dbfs,
            max_gap_s=self.gate_max_gap_s,
            max_clipped=self.gate_max_clipped,
            max_repetition=self.gate_max_repetition,
            max_drone_s=self.gate_max_drone_s,
        )

    @property
    def breaker(self) -> BreakerPolicy:
        """When an engine is no longer asked, and for how long."""
        return BreakerPolicy(
            failures=self.breaker_failures, window_s=self.breaker_window_s, recovery_s=self.breaker_recovery_s
        )


def _one_of(value: int, valid: tuple[int, ...]) -> int:
    if value not in valid:
        raise ValueError(f"{value} is not one of {', '.join(map(str, valid))}")
    return value
