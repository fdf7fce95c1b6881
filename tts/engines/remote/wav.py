"""Reads what speech servers mostly send: mono 16-bit WAV. Pure Python, at once; other files need a decoder.

No I/O.
"""

from __future__ import annotations

import struct

import numpy as np

from tts.contract import PcmAudio

_HEADER, _CHUNK = 12, 8
_PCM = 1
_UNTOLD_BYTES = 0x7FFF0000  # sizes written before the end was known are as large as can be


def read_wav(data: bytes) -> PcmAudio | None:
    """The audio; None for every other file, and for one whose data is not all there."""
    if data[:4] != b"RIFF" or data[8:_HEADER] != b"WAVE":
        return None
    at, rate_hz = _HEADER, 0
    while at + _CHUNK <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + _CHUNK], "little")
        at += _CHUNK
        if name == b"fmt " and size >= 16 and at + 16 <= len(data):
            kind, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", data, at)
            if (kind, channels, bits) != (_PCM, 1, 16):
                return None
        if name == b"data":
            return _samples(data[at:], size, rate_hz)
        at += size + size % 2
    return None


def _samples(rest: bytes, size: int, rate_hz: int) -> PcmAudio | None:
    if size >= _UNTOLD_BYTES:
        size = len(rest) - len(rest) % 2
    if not 0 < size <= len(rest) or size % 2 or not 8_000 <= rate_hz <= 192_000:
        return None
    return PcmAudio(
        samples=np.frombuffer(rest, dtype="<i2", count=size // 2).astype(np.float32) / 32768.0, sample_rate_hz=rate_hz
    )
