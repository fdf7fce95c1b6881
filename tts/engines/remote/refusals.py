"""Turns what speech servers answer instead of audio into our errors: the one translator of this edge. No I/O.

Messages are read to tell what a refusal is about and never passed on: servers like to repeat the text in them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from pydantic import ValidationError

from tts.engines.remote.wire import ErrorAnswer, ErrorDetail
from tts.errors import BadText, BadVoice, EngineFailed, EngineOverloaded, EngineUnavailable, TtsError

RETRY_AFTER_S = 5.0  # when a full server names no time
_FULL = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_TRY_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY})
_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_MISSING = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
_VOICE_WORDS = re.compile(
    r"\b(voice|speaker|task_type|ref_audio|ref_text|x_vector_only_mode|instructions?|language|reference)\b",
    re.IGNORECASE,
)
_TEXT_WORDS = re.compile(r"\b(input|text)\b", re.IGNORECASE)


class RequestRefused(EngineFailed):
    """The server will not do this, and would say the same again."""

    retryable = False


class KeyRefused(EngineUnavailable):
    """The server knows our key not, or wants one."""


class PathMissing(EngineUnavailable):
    """The server has no such path, or no such model."""


def translate(status: int, headers: Mapping[str, str], body: bytes, *, server: str) -> TtsError:
    """The error for an answer that is not 200."""
    detail = _detail(body)
    told = f"{server} answered {status}{_identifiers(detail)}"
    if status in _FULL:
        return EngineOverloaded(told, retry_after_s=retry_after_s(headers))
    if (status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in _MISSING) or status in _TRY_AGAIN:
        return EngineFailed(told)
    if status in _REFUSED:
        return KeyRefused(f"{told}: check QWEN3_API_KEY")
    if 300 <= status < 400:
        return EngineUnavailable(f"{told}: redirects are not followed, give the final address in QWEN3_API_URL")
    # A server that cannot design at all says so in words about voices.
    if status != HTTPStatus.NOT_IMPLEMENTED and (about := _about(detail)):
        return about(told)
    if status in _MISSING:
        return PathMissing(f"{told}: check QWEN3_API_URL and QWEN3_API_MODEL")
    return RequestRefused(told)


def translate_item(error: ErrorDetail | str | None, *, server: str) -> TtsError:
    """The error for an item of a batch: a code tells as a status does, a bare message is worth another try."""
    if isinstance(error, ErrorDetail) and isinstance(error.code, int):
        return translate(error.code, {}, ErrorAnswer(error=error).model_dump_json().encode(), server=server)
    detail = error if isinstance(error, ErrorDetail) else ErrorDetail(message=error or "")
    told = f"{server} failed on one text of a batch{_identifiers(detail)}"
    about = _about(detail)
    return about(told) if about else EngineFailed(told)


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds, or an HTTP date measured against the server's own clock (RFC 9110, section 10.2.3), else 5 s."""
    value = headers.get("retry-after", "")
    try:
        return max(0.0, min(float(value), 86_400.0))
    except ValueError:
        pass
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError):
        return RETRY_AFTER_S
    return max(0.0, wait.total_seconds())


def _detail(body: bytes) -> ErrorDetail:
    try:
        return ErrorAnswer.model_validate_json(body).error
    except ValidationError:
        return ErrorDetail()


def _about(detail: ErrorDetail) -> type[BadVoice | BadText] | None:
    """Whether a refusal is about the voice or the text: by its parameter when there is one, else by its words."""
    told = detail.param or detail.message
    if _VOICE_WORDS.search(told):
        return BadVoice
    return BadText if _TEXT_WORDS.search(told) else None


def _identifiers(detail: ErrorDetail) -> str:
    """Type, parameter and code where they are short names; anything longer might be somebody's words."""
    names = [str(value) for value in (detail.type, detail.param, detail.code) if value]
    kept = [name for name in names if re.fullmatch(r"[\w.\-\[\]]{1,60}", name)]
    return f" ({', '.join(kept)})" if kept else ""
