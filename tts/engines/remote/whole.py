"""Tells the beginning of an audio file from a whole one, as far as its container says. No I/O.

A connection that breaks may look like an end, and half an answer sounds like a whole one to whoever does not know the
text. What a container does not tell counts as whole: a header written before the end was known, a kind unknown here.
"""

from __future__ import annotations

from tts.engines.remote.wav import cut_wav

_FLAC_HEADER = 26  # as far as the count of samples in STREAMINFO
_OGG_HEADER, _OGG_LAST = 27, 0x04
_ID3_HEADER = 10
# MPEG audio, layer III: kbit/s by index and samples of a frame for version 1, then for 2 and 2.5; rates by version.
_KBITS = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_FRAME_SAMPLES = (1152, 576)
_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def cut_short(data: bytes, *, decoded: int) -> bool:
    """Whether the file says that more follows than came. `decoded` is how many samples were found in it."""
    match data[:4]:
        case b"RIFF":
            return cut_wav(data)
        case b"fLaC":
            return decoded < _flac_samples(data)
        case b"OggS":
            return _ogg_cut(data)
        case _:
            return _mp3_cut(data)


def _flac_samples(data: bytes) -> int:
    """The samples that STREAMINFO promises; 0 where it does not know."""
    return int.from_bytes(data[18:_FLAC_HEADER], "big") & ((1 << 36) - 1) if len(data) >= _FLAC_HEADER else 0


def _ogg_cut(data: bytes) -> bool:
    """Whether the last page is incomplete, or not marked as the last one."""
    at, last = 0, False
    while data[at : at + 4] == b"OggS":
        head = data[at : at + _OGG_HEADER]
        if len(head) < _OGG_HEADER:
            return True
        segments = data[at + _OGG_HEADER : at + _OGG_HEADER + head[26]]
        at += _OGG_HEADER + head[26] + sum(segments)
        if len(segments) < head[26] or at > len(data):
            return True
        last = bool(head[5] & _OGG_LAST)
    return not last


def _mp3_cut(data: bytes) -> bool:
    """Whether the last frame is incomplete. A cut between two frames cannot be told, but seldom is one there."""
    at = 0
    if data[:3] == b"ID3" and len(data) >= _ID3_HEADER:
        at = _ID3_HEADER + sum((byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
    while at < len(data) and (size := _mp3_frame_bytes(data[at : at + 4])):
        at += size
    return at > len(data) or 0 < len(data) - at < 4


def _mp3_frame_bytes(head: bytes) -> int:
    """The size of the frame that begins so; 0 where none of layer III does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0
    version, bits, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version not in _RATES_HZ or not 0 < bits < 15 or rate == 3:
        return 0
    older = 0 if version == 3 else 1
    return _FRAME_SAMPLES[older] // 8 * _KBITS[older][bits] * 1000 // _RATES_HZ[version][rate] + (head[2] >> 1 & 1)
