"""Reads a voice note back and says whether phones will play it as one. Must not know who made it.

Ogg pages: RFC 3533. Opus in Ogg (identification, tags, granule and pre-skip): RFC 7845.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tts.audio.decode import DecodeLimits, decode_ours
from tts.errors import BadAudio

_PAGE = struct.Struct("<4sBBqIIIB")
_HEAD = struct.Struct("<8sBBHIhB")
_LAST_PAGE = 0x04
_GRANULES_PER_S = 48_000
_MAX_DURATION_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteFacts:
    """What a voice note says of itself."""

    duration_s: float
    channels: int
    input_rate_hz: int
    vendor: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    flags: int
    granule: int
    serial: int
    sequence: int
    body: bytes


def validate_voice_note(data: bytes, *, max_bytes: int) -> NoteFacts:
    """Facts of a proper note: one Ogg stream of mono Opus, whole to its end, that decodes to the length it states.

    Only for notes made here (see `decode_ours`). Raises BadAudio that names the first rule it breaks.
    """
    if len(data) > max_bytes:
        raise BadAudio(f"the note has {len(data)} bytes; above {max_bytes} it is no voice note")
    pages = list(_pages(data))
    if len({page.serial for page in pages}) != 1:
        raise BadAudio("the file holds more than one Ogg stream")
    if [page.sequence for page in pages] != list(range(len(pages))):
        raise BadAudio("Ogg pages are missing")
    if len(pages) < 3 or not pages[-1].flags & _LAST_PAGE:
        raise BadAudio("the Ogg stream has no end: the file is cut short")
    channels, pre_skip, input_rate_hz = _identification(pages[0].body)
    if channels != 1:
        raise BadAudio(f"the note has {channels} channels; a voice note is mono")
    duration_s = (pages[-1].granule - pre_skip) / _GRANULES_PER_S
    limits = DecodeLimits(
        max_bytes=max_bytes, max_duration_s=_MAX_DURATION_S, max_samples=round(_MAX_DURATION_S * 48_000)
    )
    heard_s = decode_ours(data, limits=limits).audio.duration_s
    if duration_s <= 0 or abs(heard_s - duration_s) > 0.1:
        raise BadAudio(f"the note states {duration_s:.2f} s and decodes to {heard_s:.2f} s")
    return NoteFacts(
        duration_s=duration_s,
        channels=channels,
        input_rate_hz=input_rate_hz,
        vendor=_vendor(pages[1].body),
        size_bytes=len(data),
    )


def _pages(data: bytes) -> Iterator[_Page]:
    offset = 0
    while offset < len(data):
        try:
            magic, version, flags, granule, serial, sequence, _crc, count = _PAGE.unpack_from(data, offset)
        except struct.error as error:
            raise BadAudio("the file ends inside an Ogg page") from error
        if magic != b"OggS" or version != 0:
            raise BadAudio("not an Ogg file")
        start = offset + _PAGE.size + count
        offset = start + sum(data[offset + _PAGE.size : start])
        if offset > len(data):
            raise BadAudio("the file ends inside an Ogg page")
        yield _Page(flags=flags, granule=granule, serial=serial, sequence=sequence, body=data[start:offset])


def _identification(body: bytes) -> tuple[int, int, int]:
    """Channels, pre-skip in 48 kHz samples, input rate in Hz."""
    if len(body) < _HEAD.size or not body.startswith(b"OpusHead"):
        raise BadAudio("the Ogg stream is not Opus")
    _magic, _version, channels, pre_skip, rate_hz, _gain, _family = _HEAD.unpack_from(body)
    return channels, pre_skip, rate_hz


def _vendor(body: bytes) -> str:
    if not body.startswith(b"OpusTags") or len(body) < 12:
        raise BadAudio("the Opus stream has no tags page")
    length = int.from_bytes(body[8:12], "little")
    return body[12 : 12 + length].decode("utf-8", "replace")
