"""What goes over the wire to speech servers and comes back, one model a body. Must not know HTTP, health or choice.

`OpenAiSpeech` is OpenAI's `POST /v1/audio/speech`; `OmniSpeech` and `OmniBatch` are vLLM-Omni's additions to it
(docs.vllm.ai/projects/vllm-omni, Speech API). The `recado` bodies are ours, drawn in docs/remote-engines.md:

POST /v1/audio/speech        RecadoSpeech  → audio, its container told by Content-Type
POST /v1/audio/speech/batch  RecadoBatch   → BatchAnswer: each item its audio or its error
POST /v1/audio/profiles      RecadoVoice   → ProfileBody, to be sent in place of the samples from then on
GET  /v1/models              {"data": [{"id"}]}; GET /health: below 500 when it serves

Errors of all three are `{"error": {"message", "type", "param", "code"}}`.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from tts.contract import SourceKind


def _from_base64(value: object) -> object:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


Blob = Annotated[bytes, BeforeValidator(_from_base64), PlainSerializer(_to_base64, return_type=str, when_used="json")]


class Body(BaseModel):
    """Sent without what is not set: strict servers refuse fields they do not know."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    def encoded(self) -> bytes:
        """The JSON to send."""
        return self.model_dump_json(exclude_none=True).encode()


class OpenAiSpeech(Body):
    """OpenAI's own fields. `model` is demanded by OpenAI itself and optional elsewhere."""

    input: str
    model: str | None = None
    voice: str | None = None
    instructions: str | None = None
    response_format: str = "wav"
    speed: float | None = None


class OmniSpeech(OpenAiSpeech):
    """One text for vLLM-Omni. `language` is an English name or "Auto"; `ref_audio` a data URL; a token is 80 ms."""

    task_type: str | None = None
    language: str | None = None
    ref_audio: str | None = None
    ref_text: str | None = None
    x_vector_only_mode: bool | None = None
    max_new_tokens: int | None = None
    seed: int | None = None


class OmniItem(Body):
    """What differs from text to text; a batch has no seeds."""

    input: str
    language: str | None = None
    max_new_tokens: int | None = None
    speed: float | None = None


class OmniBatch(Body):
    """1 to 32 texts in one voice: the reference travels once."""

    items: tuple[OmniItem, ...] = Field(min_length=1, max_length=32)
    voice: str | None = None
    instructions: str | None = None
    response_format: str = "wav"
    task_type: str | None = None
    ref_audio: str | None = None
    ref_text: str | None = None
    x_vector_only_mode: bool | None = None


class SourceBody(Body):
    """A weighted part of a voice. `audio` is a WAV file whose whole content is `transcript`; names have neither."""

    kind: SourceKind
    ref: str
    weight: float = Field(gt=0, le=1)
    audio: Blob | None = Field(default=None, repr=False)
    transcript: str | None = Field(default=None, repr=False)


class ProfileBody(Body):
    """What the server's engine made of a voice: good for that engine and model only."""

    engine: str
    model: str
    data: Blob = Field(repr=False)
    facts: dict[str, float] = {}


class RecadoVoice(Body):
    """A voice whole. Without sources the text is to be said in a voice designed of the prompt: so a clip is asked for.

    With `profile`, samples come without audio; a server that cannot use the profile answers 409 and gets them all.
    """

    id: str
    version: int
    language: str
    prompt: str = ""
    speed: float = 1.0
    seed: int | None = None
    sources: tuple[SourceBody, ...] = ()
    profile: ProfileBody | None = None


class RecadoItem(Body):
    """One text of a batch; `voice` is an index into the batch's voices."""

    input: str
    language: str
    voice: int
    expected_s: float
    seed: int | None = None


class RecadoSpeech(Body):
    """One text in one voice. `language` is a BCP 47 tag; `expected_s` bounds how long it may become."""

    input: str
    language: str
    voice: RecadoVoice
    expected_s: float
    seed: int | None = None
    response_format: Literal["wav", "flac"] = "flac"


class RecadoBatch(Body):
    """1 to 32 texts in any voices, each voice sent once."""

    voices: tuple[RecadoVoice, ...] = Field(min_length=1)
    items: tuple[RecadoItem, ...] = Field(min_length=1, max_length=32)
    response_format: Literal["wav", "flac"] = "flac"


class ErrorDetail(BaseModel):
    """What a server says of a refusal; `message` may repeat the text and is never shown or logged."""

    model_config = ConfigDict(hide_input_in_errors=True)

    message: str = Field(default="", repr=False)
    type: str | None = None
    param: str | None = None
    code: str | int | None = None


class ErrorAnswer(BaseModel):
    """The envelope of a refusal."""

    model_config = ConfigDict(hide_input_in_errors=True)

    error: ErrorDetail


class BatchResult(BaseModel):
    """One item of a batch: audio when `status` is "success", else why not."""

    model_config = ConfigDict(hide_input_in_errors=True)

    index: int
    status: str
    audio_data: Blob | None = Field(default=None, repr=False)
    media_type: str = ""
    error: ErrorDetail | str | None = Field(default=None, repr=False)
    finish_reason: str | None = None


class BatchAnswer(BaseModel):
    """Items are read one by one, so that a broken one costs its neighbours nothing."""

    model_config = ConfigDict(hide_input_in_errors=True)

    results: list[dict[str, Any]]


class ModelId(BaseModel):
    """A model by its name."""

    id: str


class ModelList(BaseModel):
    """The answer of `GET /v1/models`."""

    data: list[ModelId]
