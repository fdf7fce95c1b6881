"""Turns the bytes of a speech answer into PCM, or says why they are none. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import ValidationError

from tts.audio.decode import DecodeLimits, decode
from tts.audio.pcm import resample
from tts.contract import PcmAudio
from tts.engines.remote.dialects import SAMPLE_RATE_HZ
from tts.engines.remote.refusals import translate_item
from tts.engines.remote.wire import BatchAnswer, BatchResult
from tts.errors import BadAudio, EngineFailed, TtsError

TAKE_LIMITS = DecodeLimits(max_bytes=12_000_000, max_duration_s=120.0)
_PCM_TYPES = frozenset({"audio/pcm", "audio/x-pcm", "audio/raw"})
_STREAMED = frozenset({0, 0xFFFFFFFF, 0x7FFFFFFF})  # sizes in WAV headers written before the end was known
_WAV_HEADER = 12


def audio_of(data: bytes, headers: Mapping[str, str], *, server: str) -> PcmAudio:
    """The audio of an answer, mono at 24 kHz. Raises EngineFailed for anything that is not whole audio."""
    media_type, _, parameters = headers.get("content-type", "").partition(";")
    media_type = media_type.strip().lower()
    if headers.get("x-finish-reason", "").lower() == "length":
        raise EngineFailed(f"{server} cut the speech at its length limit")
    if media_type and not media_type.startswith(("audio/", "application/octet-stream", "application/ogg")):
        raise EngineFailed(f"{server} answered {_short(media_type)} in place of audio")
    if media_type in _PCM_TYPES:
        return resample(_raw(data, _rate_hz(headers, parameters), server), SAMPLE_RATE_HZ)
    if _cut_short(data):
        raise EngineFailed(f"{server} sent only the beginning of its audio")
    try:
        return resample(decode(data, limits=TAKE_LIMITS).audio, SAMPLE_RATE_HZ)
    except BadAudio as error:
        raise EngineFailed(f"{server} sent no usable audio: {error}") from error


def batch_of(data: bytes, size: int, *, server: str) -> list[PcmAudio | TtsError]:
    """One result for each of `size` items, by their index; an item that is missing or broken is an error of its own."""
    try:
        rows: Sequence[object] = BatchAnswer.model_validate_json(data).results
    except ValidationError as error:
        raise EngineFailed(f"{server}'s answer is not that of a batch") from error
    results: list[PcmAudio | TtsError] = [EngineFailed(f"{server} left a text of a batch out") for _ in range(size)]
    for row in rows:
        try:
            item = BatchResult.model_validate(row)
        except ValidationError:
            continue
        if 0 <= item.index < size:
            results[item.index] = _item(item, server)
    return results


def _item(item: BatchResult, server: str) -> PcmAudio | TtsError:
    if item.status != "success" or item.audio_data is None:
        return translate_item(item.error, server=server)
    try:
        headers = {"content-type": item.media_type, "x-finish-reason": item.finish_reason or ""}
        return audio_of(item.audio_data, headers, server=server)
    except EngineFailed as error:
        return error


def _raw(data: bytes, rate_hz: int, server: str) -> PcmAudio:
    """Headerless signed 16-bit little-endian mono."""
    if not data or len(data) > TAKE_LIMITS.max_bytes or len(data) / 2 / rate_hz > TAKE_LIMITS.max_duration_s:
        raise EngineFailed(f"{server} sent {len(data)} bytes of raw audio")
    samples = np.frombuffer(data, dtype="<i2", count=len(data) // 2).astype(np.float32) / 32768.0
    return PcmAudio(samples=samples, sample_rate_hz=rate_hz)


def _rate_hz(headers: Mapping[str, str], parameters: str) -> int:
    told = re.search(r"rate\s*=\s*(\d{4,6})\b", parameters)
    value = told.group(1) if told else headers.get("x-sample-rate", "")
    return int(value) if value.isdecimal() and 8_000 <= int(value) <= 192_000 else SAMPLE_RATE_HZ


def _cut_short(data: bytes) -> bool:
    """Whether a WAV file says that it is longer than what came."""
    if data[:4] != b"RIFF" or len(data) < _WAV_HEADER:
        return False
    said = int.from_bytes(data[4:8], "little")
    return said not in _STREAMED and said < 0xFFFFFF00 and said + 8 > len(data) + 1


def _short(media_type: str) -> str:
    return media_type if re.fullmatch(r"[\w.+\-/]{1,60}", media_type) else "something"
