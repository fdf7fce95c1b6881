"""Where a speech server is and which dialect it speaks, as one written word: `vllm-omni=http://gpu-1:8091`. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import httpx

_PORT_MAX = 65_535


class Dialect(StrEnum):
    """The ways of asking `POST /v1/audio/speech` that are spoken here."""

    OPENAI = "openai"  # named voices and nothing else: OpenAI, Nari, wrappers of single models
    VLLM_OMNI = "vllm-omni"  # Qwen3-TTS with its own fields: vLLM-Omni, SGLang-Omni
    RECADO = "recado"  # another Recado, which knows voices whole


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechAddress:
    """One server. `url` is everything in front of `/v1`, without a slash at the end; it never holds a secret."""

    dialect: Dialect
    url: str

    def __str__(self) -> str:
        return f"{self.dialect}={self.url}"


def parse_address(written: str) -> SpeechAddress:
    """The address in `dialect=url`; an URL may end in `/v1` or not. Raises ValueError with what is wrong."""
    name, separator, url = written.strip().partition("=")
    if not separator or name.strip() not in set(Dialect):
        raise ValueError(f"{name!r} is not dialect=url; dialects: {', '.join(Dialect)}")
    try:
        parts = httpx.URL(url.strip())
    except httpx.InvalidURL as error:
        raise ValueError(f"the address behind {name}= is not an http(s) URL") from error
    if parts.scheme not in {"http", "https"} or not parts.host or (parts.port or 0) > _PORT_MAX:
        raise ValueError(f"the address behind {name}= is not an http(s) URL")
    if parts.userinfo:
        raise ValueError(f"the address behind {name}= holds a password: keys go into QWEN3_API_KEY")
    if parts.query or parts.fragment:
        raise ValueError(f"the address behind {name}= ends in a query: give only what stands in front of /v1")
    path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
    root = str(parts.copy_with(path=path or "/")).rstrip("/")
    return SpeechAddress(dialect=Dialect(name.strip()), url=root)
