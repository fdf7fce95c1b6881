"""What tells a stream that its server broke off from a whole one, beyond what every file tells. No I/O.

Servers write while they speak: no header states the length, and they break off between two pieces rather than inside.
"""

from __future__ import annotations

_OGG_LAST = 0x04  # RFC 3533, section 6
_ID3_HEADER = 10
# MPEG audio, layer III: kbit/s by index and samples of a frame for version 1, then for 2 and 2.5; rates by version.
_KBITS = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_FRAME_SAMPLES = (1152, 576)
_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def breaks_off(data: bytes) -> str:
    """How the file breaks off, in words; empty when it does not, or nothing tells."""
    if data.startswith(b"OggS"):
        flags = data[data.rfind(b"OggS") + 5 :][:1]
        return "" if flags and flags[0] & _OGG_LAST else "its last page is not marked as such"
    return "it ends inside a frame" if _mp3_ends_inside(data) else ""


def _mp3_ends_inside(data: bytes) -> bool:
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
