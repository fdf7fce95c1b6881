"""Turns the bytes of a speech answer into PCM, or says why they are none. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import ValidationError

from tts.audio.decode import DecodeLimits, decode
from tts.audio.pcm import resample
from tts.audio.wholeness import what_is_missing
from tts.contract import PcmAudio
from tts.engines.remote.dialects import SAMPLE_RATE_HZ
from tts.engines.remote.refusals import translate_item
from tts.engines.remote.wav import read_wav
from tts.engines.remote.whole import breaks_off
from tts.engines.remote.wire import BatchAnswer, BatchResult
from tts.errors import AudioTooLong, BadAudio, EngineFailed, TtsError

TAKE_LIMITS = DecodeLimits(max_bytes=12_000_000, max_duration_s=120.0)
_PCM_TYPES = frozenset({"audio/pcm", "audio/x-pcm", "audio/raw"})


def audio_of(data: bytes, headers: Mapping[str, str], *, server: str) -> PcmAudio:
    """The audio of an answer, mono at 24 kHz. Raises EngineFailed for anything that is not whole audio."""
    media_type, _, parameters = headers.get("content-type", "").partition(";")
    media_type = media_type.strip().lower()
    if headers.get("x-finish-reason", "").lower() == "length":
        raise EngineFailed(f"{server} cut the speech at its length limit")
    if media_type and not media_type.startswith(("audio/", "application/octet-stream", "application/ogg")):
        raise EngineFailed(f"{server} answered {_short(media_type)} in place of audio")
    if media_type in _PCM_TYPES:
        if not _ends(headers):
            raise EngineFailed(f"{server} did not say where its raw audio ends")
        return resample(_raw(data, _rate_hz(headers, parameters), server), SAMPLE_RATE_HZ)
    try:
        audio, missing = _read(data)
    except BadAudio as error:
        raise EngineFailed(f"{server} sent no usable audio: {error}") from error
    if missing:
        raise EngineFailed(f"{server} sent only the beginning of its audio: {missing}")
    return resample(audio, SAMPLE_RATE_HZ)


def rows_of(data: bytes, size: int, *, server: str) -> list[BatchResult | TtsError]:
    """What was answered of each of `size` texts, by their index; one that is left out or broken is an error of its own.

    Raises EngineFailed for what is no answer of a batch at all.
    """
    try:
        results: Sequence[object] = BatchAnswer.model_validate_json(data).results
    except ValidationError as error:
        raise EngineFailed(f"{server}'s answer is not that of a batch") from error
    rows: list[BatchResult | TtsError] = [EngineFailed(f"{server} left a text of a batch out") for _ in range(size)]
    for result in results:
        try:
            row = BatchResult.model_validate(result)
        except ValidationError:
            continue
        if 0 <= row.index < size:
            rows[row.index] = row
    return rows


def row_audio(row: BatchResult | TtsError, *, server: str) -> PcmAudio | TtsError:
    """The audio of one text of a batch, or what went wrong with it."""
    if isinstance(row, TtsError):
        return row
    if row.status != "success" or row.audio_data is None:
        return translate_item(row.error, server=server)
    headers = {
        "content-type": row.media_type,
        "content-length": str(len(row.audio_data)),
        "x-finish-reason": row.finish_reason or "",
    }
    try:
        return audio_of(row.audio_data, headers, server=server)
    except TtsError as error:
        return error


def _read(data: bytes) -> tuple[PcmAudio, str]:
    """The audio at its own rate, and what of it is missing as far as the file tells. Raises BadAudio."""
    plain = read_wav(data)  # a decoder takes far longer to be started than this
    if plain is None:
        decoded = decode(data, limits=TAKE_LIMITS)
        return decoded.audio, what_is_missing(data, decoded) or breaks_off(data)
    if plain.duration_s > TAKE_LIMITS.max_duration_s:
        raise AudioTooLong(f"the audio is longer than {TAKE_LIMITS.max_duration_s:g} s")
    return plain, ""


def _raw(data: bytes, rate_hz: int, server: str) -> PcmAudio:
    """Headerless signed 16-bit little-endian mono."""
    samples_max = TAKE_LIMITS.max_duration_s * rate_hz
    if not data or len(data) % 2 or len(data) > min(TAKE_LIMITS.max_bytes, 2 * samples_max):
        raise EngineFailed(f"{server} sent {len(data)} bytes of raw audio")
    samples = np.frombuffer(data, dtype="<i2").astype(np.float32) / 32768.0
    return PcmAudio(samples=samples, sample_rate_hz=rate_hz)


def _rate_hz(headers: Mapping[str, str], parameters: str) -> int:
    told = re.search(r"rate\s*=\s*(\d{4,6})\b", parameters)
    value = told.group(1) if told else headers.get("x-sample-rate", "")
    return int(value) if value.isdecimal() and 8_000 <= int(value) <= 192_000 else SAMPLE_RATE_HZ


def _ends(headers: Mapping[str, str]) -> bool:
    """Whether the end of the body was told, so that a lost connection shows. Other formats tell by themselves."""
    return "content-length" in headers or "chunked" in headers.get("transfer-encoding", "").lower()


def _short(media_type: str) -> str:
    return media_type if re.fullmatch(r"[\w.+\-/]{1,60}", media_type) else "something"
