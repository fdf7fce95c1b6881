"""Writes `.env.example` from the settings themselves: `python -m bot.commandline.env_example > .env.example`.

Only the grouping and the words above each group stand here; names, descriptions, units and defaults come from the code.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import click
from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from bot.settings import Settings
from tts.settings import TtsSettings

_WIDTH = 110
_UNITS = {
    "_s": "seconds", "_ms": "milliseconds", "_bytes": "bytes", "_hz": "hertz", "_bps": "bit/s", "_dbfs": "dBFS",
    "_minutes": "minutes", "_hours": "hours", "_days": "days",
}  # fmt: skip
_HEAD = """\
Recado's settings. Copy this file to .env, take the # away in front of what you change, and keep it to yourself
(`chmod 600 .env`): it will hold secrets. The environment goes before this file. What stands here are the defaults;
a line without a value is not set. Lists are comma-separated. `recado doctor` checks what you wrote.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Settings that are read together; `words` says what for and where the values come from."""

    title: str
    words: str = ""
    names: tuple[str, ...]


GROUPS = (
    Group(
        title="WhatsApp",
        words="From the app's dashboard at developers.facebook.com. App secret: App settings, Basic. Token: Business "
        "settings, System users, Generate token, with whatsapp_business_messaging and whatsapp_business_management. "
        "Number ids: WhatsApp, API Setup. Then, under WhatsApp, Configuration, set the callback URL "
        "https://YOUR-HOST/webhooks/whatsapp with the verify token, and subscribe to the field messages.",
        names=(
            "whatsapp_app_secret", "whatsapp_verify_token", "whatsapp_access_token", "whatsapp_phone_number_id",
            "whatsapp_api_url", "whatsapp_api_version", "webhook_recording_hours",
        ),
    ),
    Group(
        title="Replies",
        words="Any server that speaks OpenAI's chat API. Without one, each persona answers from its own script.",
        names=("llm_base_url", "llm_api_key", "llm_model", "llm_timeout_s", "history_days"),
    ),
    Group(
        title="Voice: who speaks",
        names=("tts_engines", "model_cache_dir", "kokoro_threads", "kokoro_model_path"),
    ),
    Group(
        title="Qwen3-TTS",
        words="Voices of samples, prompts and timbres, on a GPU. Needs the extra `gpu` and at least one model.",
        names=(
            "qwen3_size", "qwen3_base_model", "qwen3_custom_model", "qwen3_design_model", "qwen3_device", "qwen3_dtype",
            "qwen3_attention", "qwen3_voice_prompt_default", "qwen3_max_batch", "qwen3_runaway_factor",
            "qwen3_same_speaker", "qwen3_icl",
        ),
    ),
    Group(
        title="XTTS v2",
        words="Voices cloned from samples, for non-commercial use. Needs the extra `xtts` and the checkpoint.",
        names=("xtts_model", "xtts_accept_cpml", "xtts_device"),
    ),
    Group(
        title="Bark",
        words="Named speakers in 13 languages, slow without a GPU. Needs the extra `bark`; speaks when TTS_ENGINES "
        "names it, voices whose source is one timbre such as v2/pt_speaker_3.",
        names=("bark_model", "bark_device"),
    ),
    Group(
        title="Speech servers",
        words="Voices spoken by other machines: vLLM-Omni, SGLang-Omni, Nari, another Recado, anything with OpenAI's "
        "speech API. docs/remote-engines.md tells how to run them.",
        names=(
            "qwen3_api_url", "qwen3_api_key", "qwen3_api_model", "qwen3_api_connect_timeout_s",
            "qwen3_api_read_timeout_s", "qwen3_api_timeout_s",
        ),
    ),
    Group(
        title="Voice: samples",
        words='Recordings that voices are made of (`recado voice`). Make a key: python -c "from cryptography.fernet '
        'import Fernet; print(Fernet.generate_key().decode())"',
        names=("samples_url", "samples_key"),
    ),
    Group(
        title="Voice: the note",
        words="How the voice note is encoded. The defaults are the careful choice: some phones refuse more.",
        names=("opus_bitrate_bps", "opus_frame_ms", "opus_sample_rate_hz", "opus_application", "note_max_bytes",
            "note_tags", "watermark"),
    ),
    Group(
        title="Hearing",
        words="How incoming voice notes are written down.",
        names=(
            "stt_base_url", "stt_api_key", "stt_model", "stt_timeout_s", "whisper_model", "whisper_threads",
            "hearing_max_s", "audio_max_bytes",
        ),
    ),
    Group(
        title="Store",
        words="Where messages wait until they are answered, and where notes are kept.",
        names=("recado_data_dir", "redis_url", "recado_allow_volatile", "note_days"),
    ),
    Group(
        title="Provenance",
        words="Every note gets a signed record; `recado verify FILE` finds it again. Several machines need one key: "
        "`openssl rand -base64 32`.",
        names=("provenance_key", "provenance_days"),
    ),
    Group(
        title="Addresses",
        words="All three listen on this machine only. Put a proxy with HTTPS in front of the web process.",
        names=("web_host", "web_port", "worker_host", "worker_port", "emulator_host", "emulator_port"),
    ),
    Group(
        title="Who is answered, and how often",
        names=(
            "allowed_countries", "allow_unknown_country", "rate_limit_per_minute", "quota_per_day", "takeover_minutes",
        ),
    ),
    Group(
        title="When is answered",
        words="Several messages in a row are one burst and get one answer.",
        names=("burst_quiet_s", "burst_max_s", "voice_deadline_s", "stale_after_s"),
    ),
    Group(
        title="Worker",
        names=("worker_slots", "lease_s", "receipt_grace_s", "max_attempts", "drain_s", "send_per_second"),
    ),
    Group(
        title="Worker: speaking together",
        words="Segments of several conversations are spoken in one batch where the engine can.",
        names=(
            "tts_batch_max", "tts_batch_wait_ms", "tts_batch_deadline_s", "tts_load_deadline_s", "tts_queue_max",
            "tts_takes",
        ),
    ),
    Group(
        title="Worker: which takes are refused",
        words="Each take is measured before it is sent; a refused one is spoken again or by the next engine.",
        names=(
            "gate_min_ratio", "gate_max_ratio", "gate_slack_s", "gate_min_level_dbfs", "gate_max_gap_s",
            "gate_max_clipped", "gate_max_repetition", "gate_max_drone_s", "gate_asr", "gate_asr_max_cer",
            "gate_similarity", "gate_similarity_min", "gate_own_similarity_min",
        ),
    ),
    Group(
        title="Worker: when an engine is left alone",
        names=("breaker_failures", "breaker_window_s", "breaker_recovery_s"),
    ),
    Group(title="Operation", names=("metrics_token", "log_level", "log_format")),
)  # fmt: skip


def fields() -> dict[str, FieldInfo]:
    """Every setting of the program by its name in lower case."""
    return {**Settings.model_fields, **TtsSettings.model_fields}


def lines() -> Iterator[str]:
    """The file, line by line."""
    known = fields()
    yield from (f"# {line}" for line in _HEAD.splitlines())
    for group in GROUPS:
        yield ""
        yield ""
        yield f"# ---- {group.title} ".ljust(_WIDTH, "-")
        yield from _comment(group.words)
        for name in group.names:
            yield ""
            yield from _comment(known[name].description or "")
            if facts := _facts(name, known[name]):
                yield f"#   [{facts}]"
            yield f"#{name.upper()}={value_text(known[name].get_default(call_default_factory=True))}"


def value_text(value: Any) -> str:
    """A default as it is written in the file; None and empty lists are nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple):
        return ",".join(map(value_text, value))
    if isinstance(value, float):
        return str(int(value) if value.is_integer() else value)
    return str(value)


def _facts(name: str, field: FieldInfo) -> str:
    """The limits in words, and the unit where the description does not say it."""
    said = (field.description or "").lower()
    facts = [words for suffix, words in _UNITS.items() if name.endswith(suffix) and words not in said]
    limits = []
    for limit in field.metadata:
        match limit:
            case Ge(ge=bound):
                limits.append(f"at least {value_text(bound)}")
            case Gt(gt=bound):
                limits.append(f"above {value_text(bound)}")
            case Le(le=bound):
                limits.append(f"at most {value_text(bound)}")
            case Lt(lt=bound):
                limits.append(f"below {value_text(bound)}")
            case _:  # patterns and lengths: the description gives the choices
                pass
    return ", ".join([*facts, *limits])


def _comment(words: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(words, _WIDTH - 2, break_on_hyphens=False, break_long_words=False)]


if __name__ == "__main__":
    for line in lines():
        click.echo(line)
