"""Turns any common audio file into PCM, within limits. Must not know what the audio is for.

The container is told by its first bytes and named to the demuxer: playlists and other formats that make FFmpeg open
further files or addresses never reach it. Every file is unpacked in a process of its own (`tts.audio.unpack`, 0.1 s):
one that breaks the decoder breaks nothing else.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import structlog
from numpy.typing import NDArray

from tts.audio import unpack
from tts.audio.pcm import level_db
from tts.audio.unpack import MESSAGE, Order
from tts.contract import PcmAudio
from tts.errors import AudioTooLong, BadAudio, EngineUnavailable

_log = structlog.get_logger()

_PATIENCE_S = 60.0
_MESSAGE_MAX_BYTES = 64 << 20
_ENVIRONMENT = ("LD_LIBRARY_PATH", "PATH", "SYSTEMROOT")  # no more of it: it holds the installation's secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeLimits:
    """What a file may cost: bytes as they come; seconds, samples a second and channels as they unfold."""

    max_bytes: int = 16_000_000
    max_duration_s: float = 600.0
    max_sample_rate_hz: int = 192_000
    max_channels: int = 8
    max_samples: int = 30_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """Mono audio at the file's own rate, and what the file was.

    `stated_s` is the length its header states or its size lets guess. `lost` of its `packets` could not be decoded,
    `last_lost` tells that the last was one of them. `mix_loss_db` is how much quieter the mono audio is than a channel.
    """

    audio: PcmAudio
    container: str
    codec: str
    channels: int
    stated_s: float | None = None
    packets: int = 0
    lost: int = 0
    last_lost: bool = False
    mix_loss_db: float = 0.0


def sniff_container(data: bytes) -> str | None:
    """FFmpeg's name of the container these bytes begin, or None when it is none that is read here."""
    for offset, magic, name in _MAGIC:
        if data[offset : offset + len(magic)] == magic:
            return name
    if len(data) > 1 and data[0] == 0xFF:
        if data[1] & 0xF6 == 0xF0:  # ADTS: 12 sync bits, layer 00
            return "aac"
        if data[1] & 0xE0 == 0xE0 and data[1] & 0x06:  # MPEG audio: 11 sync bits, a layer
            return "mp3"
    return None


def decode(data: bytes, *, limits: DecodeLimits | None = None) -> Decoded:
    """All of the file's first audio stream as mono PCM at its own rate; damaged packets are left out. Blocks.

    Raises BadAudio for what is too large, too long, no known audio, or holds no sound that can be decoded.
    """
    return _decoded(data, limits or DecodeLimits(), _unpacked_apart)


def decode_ours(data: bytes, *, limits: DecodeLimits | None = None) -> Decoded:
    """As `decode`, at once and in this process: only for what this installation encoded, or decoded before it kept it.

    A file that breaks the decoder ends the process.
    """
    return _decoded(data, limits or DecodeLimits(), _unpacked_here)


def _decoded(data: bytes, limits: DecodeLimits, unpacked: _Unpack) -> Decoded:
    if not data:
        raise BadAudio("the file is empty")
    if len(data) > limits.max_bytes:
        raise AudioTooLong(f"the file has {len(data)} bytes; at most {limits.max_bytes} are read")
    name = sniff_container(data)
    if name is None:
        raise BadAudio("not an audio file that is read here (WAV, MP3, FLAC, OGG, M4A, AAC, AMR, 3GP, WEBM, WMA, AIFF)")
    order = Order(
        container=name,
        max_duration_s=limits.max_duration_s,
        max_sample_rate_hz=limits.max_sample_rate_hz,
        max_channels=limits.max_channels,
    )
    unfolding = _Unfolding(limits)
    try:
        with contextlib.closing(unpacked(data, order)) as messages:  # the other process ends with the first bad one
            for kind, content in messages:
                unfolding.take(kind, content)
        return unfolding.decoded(name)
    except (EOFError, KeyError, TypeError, ValueError) as error:
        raise BadAudio(f"the {name} file cannot be read: the decoder broke on it") from error


@dataclass(slots=True)
class _Unfolding:
    """The messages of one file, as they come."""

    limits: DecodeLimits
    head: dict[str, Any] = field(default_factory=dict)
    tail: dict[str, Any] = field(default_factory=dict)
    mono: list[NDArray[np.float32]] = field(default_factory=list)
    samples: int = 0
    channel_levels: list[tuple[float, int]] = field(default_factory=list)

    def take(self, kind: bytes, content: bytes) -> None:
        """Raises BadAudio for a refusal, and what malformed messages raise."""
        if kind == unpack.HEAD:
            self.head = json.loads(content)
        elif kind == unpack.PCM:
            self._mix(np.frombuffer(content, "<f4").reshape(-1, int(self.head["channels"])))
        elif kind == unpack.TAIL:
            self.tail = json.loads(content)
        elif kind == unpack.REFUSED:
            refusal = json.loads(content)
            raise (AudioTooLong if refusal["too_long"] else BadAudio)(refusal["why"])

    def _mix(self, block: NDArray[np.float32]) -> None:
        self.samples += len(block)
        if self.samples > self.limits.max_samples:
            raise AudioTooLong(f"the audio has more than {self.limits.max_samples / 1e6:g} million samples")
        channels = np.clip(np.nan_to_num(block, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)
        if channels.shape[1] > 1:
            self.channel_levels.append((float(np.mean(np.square(channels, dtype=np.float64))), len(block)))
        self.mono.append(channels.mean(axis=1, dtype=np.float32))

    def decoded(self, container: str) -> Decoded:
        audio = PcmAudio(samples=np.concatenate(self.mono), sample_rate_hz=int(self.head["sample_rate_hz"]))
        self.mono.clear()
        return Decoded(
            audio=audio,
            container=container,
            codec=str(self.head["codec"]),
            channels=int(self.head["channels"]),
            stated_s=self.head["stated_s"],
            packets=int(self.tail["packets"]),
            lost=int(self.tail["lost"]),
            last_lost=bool(self.tail["last_lost"]),
            mix_loss_db=self._mix_loss_db(audio),
        )

    def _mix_loss_db(self, audio: PcmAudio) -> float:
        squares = sum(mean_square * count for mean_square, count in self.channel_levels)
        if not squares:
            return 0.0
        return 10.0 * float(np.log10(squares / self.samples)) - level_db(audio.samples)


_Messages = Generator[tuple[bytes, bytes], None, None]
_Unpack = Callable[[bytes, Order], _Messages]


def _unpacked_here(data: bytes, order: Order) -> _Messages:
    messages: list[tuple[bytes, bytes]] = []
    try:
        unpack.unpack(data, order, lambda kind, content: messages.append((kind, content)))
    except unpack.Refused as refused:
        messages.append((unpack.REFUSED, refused.message()))
    yield from messages


# -- the other process ------------------------------------------------------------------------------------------------


def _unpacked_apart(data: bytes, order: Order) -> _Messages:
    """The messages of a process that unpacks the file; EOFError where it died before the last."""
    with subprocess.Popen(  # noqa: S603 - our own script, by its path
        [sys.executable, "-I", unpack.__file__, _home_of_pyav()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        start_new_session=True,  # a Ctrl-C on the terminal is not for it
    ) as process:
        patience = threading.Timer(_PATIENCE_S, process.kill)
        patience.daemon = True
        patience.start()
        try:
            assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - for mypy
            with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
                pipe.write(unpack.order_line(order))
                pipe.write(data)
            yield from _messages(process.stdout)
        except EOFError:
            _log.warning("decoder_died", container=order.container, return_code=process.wait())
            raise
        finally:
            patience.cancel()
            process.kill()


def _messages(pipe: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    kind = b""
    while kind not in (unpack.TAIL, unpack.REFUSED):
        kind, length = MESSAGE.unpack(_exactly(pipe, MESSAGE.size))
        if length > _MESSAGE_MAX_BYTES:
            raise ValueError("a message beyond all measure")
        yield kind, _exactly(pipe, length)


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _home_of_pyav() -> str:
    """The folder to import PyAV from; the other process looks at no environment."""
    found = importlib.util.find_spec("av")
    if found is None or found.origin is None:
        raise EngineUnavailable("the package `av` is missing: reinstall recado")
    return str(Path(found.origin).parents[1])


_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"OggS", "ogg"),
    (0, b"fLaC", "flac"),
    (0, b"ID3", "mp3"),
    (0, b"#!AMR", "amr"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (4, b"ftyp", "mov"),
    (8, b"WAVE", "wav"),
    (8, b"AIFF", "aiff"),
    (8, b"AIFC", "aiff"),
    (0, b"caff", "caf"),
)
