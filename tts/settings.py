"""Everything about speaking and hearing that an installation may set. The only reader of the environment in `tts`.

Names are the environment's, in lower case; `.env` is read too; keys it does not know belong to others.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tts.audio.opus import OpusApplication, OpusChoices
from tts.breaker import BreakerPolicy
from tts.gate import GateLimits


class EngineName(StrEnum):
    """Every engine an order may name, whether or not this installation can run it."""

    QWEN3 = "qwen3"
    REMOTE = "remote"
    XTTS = "xtts"
    KOKORO = "kokoro"
    ESPEAK = "espeak"


class TtsSettings(BaseSettings):
    """Validated settings; a wrong value is refused at start with its name and the valid ones."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True, frozen=True)

    tts_engines: Annotated[tuple[EngineName, ...], NoDecode] = Field(
        default=(EngineName.QWEN3, EngineName.REMOTE, EngineName.XTTS, EngineName.KOKORO),
        min_length=1,
        description="Engines in order of preference, comma-separated: qwen3, remote, xtts, kokoro, espeak. "
        "One that is not configured is skipped; espeak speaks only when named.",
    )
    model_cache_dir: Path = Field(
        default=Path(".recado/models"), description="Folder for models that are fetched or assembled."
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

    kokoro_threads: int = Field(default=2, ge=1, description="CPU threads of the embedded voice.")
    kokoro_model_path: Path | None = Field(
        default=None, description="ONNX file to use in place of the packaged Kokoro model."
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

    @field_validator("opus_frame_ms")
    @classmethod
    def _known_frame(cls, value: int) -> int:
        return _one_of(value, (20, 40, 60))

    @field_validator("opus_sample_rate_hz")
    @classmethod
    def _known_rate(cls, value: int) -> int:
        return _one_of(value, (8_000, 12_000, 16_000, 24_000, 48_000))

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
