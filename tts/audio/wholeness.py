"""Tells a file that was cut off from a whole one. Must not know what the audio is for.

FFmpeg reads to the end of what is there and says nothing. What tells: the length that a header states (WAV: RIFF;
FLAC: STREAMINFO; MP3: Xing; M4A: boxes, ISO 14496-12), a last Ogg page that is not whole (RFC 3533), a last packet that
cannot be decoded. An MP3 or AMR that is cut between two frames, without a header that counts them, looks like a whole
one to anybody.
"""

from __future__ import annotations

import struct

from tts.audio.decode import Decoded

_MUCH_LOST = 0.01
_SLACK_S = {"flac": 0.05, "mp3": 0.15, "mov": 0.5}  # encoders' delays; MP3 and M4A state them inexactly
_UNTOLD_BYTES = 0x7FFF0000  # recorders that write to a pipe put the largest number there, or 0
_XING = (b"Xing", b"Info", b"VBRI")
_XING_WITHIN = 4096
_PAGE = struct.Struct("<4s22xB")


def what_is_missing(data: bytes, decoded: Decoded) -> str:
    """Why the file is not whole, in words with the seconds that are there; empty when it is, or nothing tells."""
    there_s = decoded.audio.duration_s
    stated_s = _stated_s(data, decoded)
    if stated_s is not None and stated_s - there_s > _SLACK_S.get(decoded.container, 0.0):
        return f"cut short: {there_s:.1f} s of {stated_s:.1f} s are there"
    if decoded.last_lost or _ends_inside(data, decoded.container):
        return f"cut short: it ends in the middle of its sound, after {there_s:.1f} s"
    if decoded.lost > max(1, _MUCH_LOST * decoded.packets):
        return f"damaged: {decoded.lost} of {decoded.packets} parts cannot be decoded"
    return ""


def _stated_s(data: bytes, decoded: Decoded) -> float | None:
    """The length the file itself states; None where it states none, or FFmpeg only guessed it from the size."""
    match decoded.container:
        case "wav":
            return _wav_s(data)
        case "flac" | "mov":
            return decoded.stated_s
        case "mp3":
            return (
                decoded.stated_s if any(mark in data[: _first_frame(data) + _XING_WITHIN] for mark in _XING) else None
            )
        case _:
            return None


def _wav_s(data: bytes) -> float | None:
    at, bytes_a_second = 12, 0
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"fmt " and at + 20 <= len(data):
            (bytes_a_second,) = struct.unpack_from("<I", data, at + 16)
        if name == b"data":
            is_told = bytes_a_second and size < _UNTOLD_BYTES and at + 8 + size > len(data)
            return size / bytes_a_second if is_told else None
        at += 8 + size + size % 2
    return None


def _first_frame(data: bytes) -> int:
    """Where an MP3 begins behind its ID3 tag."""
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    length = 0
    for byte in data[6:10]:
        length = length << 7 | byte & 0x7F
    return 10 + length


def _ends_inside(data: bytes, container: str) -> bool:
    match container:
        case "ogg":
            return _last_page_is_cut(data)
        case "mov":
            return _last_box_is_cut(data)
        case _:
            return False


def _last_page_is_cut(data: bytes) -> bool:
    at = 0
    while at < len(data):
        left = data[at : at + _PAGE.size]
        if not left.startswith(b"OggS"):
            return len(left) < 4 and b"OggS".startswith(left)
        if len(left) < _PAGE.size:
            return True
        segments = data[at + _PAGE.size : at + _PAGE.size + left[-1]]
        at += _PAGE.size + left[-1] + sum(segments)
    return at > len(data)


def _last_box_is_cut(data: bytes) -> bool:
    at = 0
    while at + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        if size == 1 and at + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, at + 8)
        if size < 8:  # 0: to the end of the file
            return False
        at += size
    return at > len(data)
