"""The installation's settings: the only place of `bot` that reads the environment (`tts.settings` does for `tts`).

Every field is documented in `.env.example`, which a test compares with these descriptions. Lists are comma-separated.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

CommaList = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """Environment and `.env`; unknown keys are ignored, so that one file can serve other programs as well."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True)

    # Where things live
    recado_data_dir: Path = Field(Path(".recado"), description="Folder for the store, notes and recordings.")
    redis_url: str = Field("", description="Redis or Valkey 7+ by URL; empty runs the embedded Valkey.")
    recado_allow_volatile: bool = Field(
        default=False, description="Accept a foreign Redis that does not persist (messages can be lost)."
    )

    # What we say we made
    provenance_key: CommaList = Field(
        (),
        repr=False,
        description="Ed25519 key that signs the record of every note, 32 bytes in base64; several, comma-separated, "
        "while rotating (the first signs). Empty: one is made in RECADO_DATA_DIR.",
    )
    provenance_days: float = Field(
        365, gt=0, description="Days the records of notes are kept; a day longer than NOTE_DAYS at least."
    )

    # Addresses
    web_host: str = Field("127.0.0.1", description="Address the web process listens on.")
    web_port: int = Field(8080, ge=0, le=65535, description="Port of the web process.")
    worker_host: str = Field("127.0.0.1", description="Address of the worker's health and metrics.")
    worker_port: int = Field(8081, ge=0, le=65535, description="Port of the worker's health and metrics.")
    emulator_host: str = Field("127.0.0.1", description="Address of the Cloud API emulator and its phone page.")
    emulator_port: int = Field(8090, ge=0, le=65535, description="Port of the Cloud API emulator.")

    # WhatsApp
    whatsapp_app_secret: CommaList = Field(
        (), repr=False, description="App secret that signs webhooks; two, comma-separated, while rotating."
    )
    whatsapp_verify_token: str = Field("", repr=False, description="Token of the webhook handshake; you choose it.")
    whatsapp_access_token: str = Field("", repr=False, description="Token for sending: a system user's, permanent.")
    whatsapp_phone_number_id: CommaList = Field(
        (), description="Ids of the numbers we answer for; messages for others are counted and left alone."
    )
    whatsapp_api_url: str = Field("https://graph.facebook.com", description="Base URL of the Graph API.")
    whatsapp_api_version: str = Field("v26.0", pattern=r"^v\d+\.\d+$", description="Version of the Graph API.")
    webhook_recording_hours: float = Field(
        0, ge=0, description="Keep raw webhooks this many hours for replay; 0 records nothing."
    )

    # Replies
    llm_base_url: str = Field("", description="OpenAI-compatible chat endpoint (…/v1); empty: the persona's script.")
    llm_api_key: str = Field("", repr=False, description="Key for the chat endpoint, where it wants one.")
    llm_model: str = Field("", description="Model name for the chat endpoint.")
    llm_timeout_s: float = Field(20, gt=0, description="Seconds a reply may take before the script answers.")
    history_days: float = Field(30, gt=0, description="Days a conversation is remembered after its last message.")

    # How a burst becomes a turn
    burst_quiet_s: float = Field(2, ge=0, description="A burst is answered after this many quiet seconds.")
    burst_max_s: float = Field(8, ge=0, description="A burst is answered at the latest after this many seconds.")
    voice_deadline_s: float = Field(30, gt=0, description="No voice by then: the answer goes out as text.")
    stale_after_s: float = Field(3600, gt=0, description="Older turns get one short apology in text.")

    # Recordings that voices are made of
    samples_url: str = Field(
        "", description="Where samples are kept, as an fsspec URL (s3://bucket/folder); empty: in RECADO_DATA_DIR."
    )
    samples_key: CommaList = Field(
        (),
        repr=False,
        description="Key that encrypts samples and profiles at rest; the first seals, all open, so keys can rotate.",
    )

    # Who is answered
    allowed_countries: CommaList = Field((), description="ISO country codes that are answered; empty: all.")
    allow_unknown_country: bool = Field(default=True, description="Answer people who show no phone number.")
    rate_limit_per_minute: int = Field(20, ge=1, description="Turns a person may start in a minute.")
    quota_per_day: int = Field(300, ge=1, description="Turns a person may start in a day.")
    takeover_minutes: float = Field(30, gt=0, description="Minutes the bot is silent after a human took over.")

    # The worker
    worker_slots: int = Field(32, ge=1, description="Turns a worker handles at once.")
    lease_s: float = Field(
        60,
        gt=5,
        description="Seconds until others take over from a worker that neither renews nor is known to be dead.",
    )
    receipt_grace_s: float = Field(
        60, gt=0, description="Seconds an unclear send waits for its receipt before it is sent once more."
    )
    max_attempts: int = Field(5, ge=1, description="Tries of a turn before it goes to the dead letters.")
    drain_s: float = Field(25, ge=0, description="Seconds a stopping worker finishes its turns before handing back.")
    send_per_second: float = Field(80, gt=0, description="Messages a second this account may send (20 in coexistence).")
    audio_max_bytes: int = Field(16_000_000, gt=0, description="Largest incoming voice note, bytes.")
    note_days: float = Field(7, gt=0, description="Days the last note of a conversation is kept for 'repeat'.")

    # Operation
    metrics_token: str = Field("", repr=False, description="Bearer token that /metrics asks for; empty: none.")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least level that is logged.")
    log_format: str = Field("json", pattern="^(json|console)$", description="json for machines, console for people.")

    @field_validator(
        "whatsapp_app_secret",
        "whatsapp_phone_number_id",
        "samples_key",
        "provenance_key",
        "allowed_countries",
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(item.strip() for item in value.split(",") if item.strip())
        return value

    @field_validator("allowed_countries")
    @classmethod
    def _upper(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(code.upper() for code in value)
