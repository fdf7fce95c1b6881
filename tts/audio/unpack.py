"""Unpacks one audio file in a process of its own. Must not know the rest of this package: it runs as a script.

FFmpeg is a large piece of C that reads bytes of strangers, and PyAV 18 frees a channel layout twice where a file
defines its own (a stereo AIFF with left and right swapped is enough). Whatever such a file does, it does it here.

The order comes as one line of JSON on standard input, then the file. The answer is a row of messages, each a kind (one
byte), a length (`<I`) and so many bytes: `HEAD` what the file is (JSON), `PCM` interleaved float32, `TAIL` what could
not be decoded (JSON), or `REFUSED` and why (JSON). An answer without TAIL or REFUSED means that the process died.
"""

from __future__ import annotations

import contextlib
import io
import json
import struct
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from av.audio.stream import AudioStream
    from av.packet import Packet

HEAD, PCM, TAIL, REFUSED = b"H", b"P", b"T", b"R"
MESSAGE = struct.Struct("<cI")

_MEMORY_BYTES = 2 << 30
_PROCESSOR_S = 120
_FLUSH_BYTES = 1 << 20
_MOST_STREAMS = 32
_CODECS = (
    "aac", "aac_latm", "ac3", "alac", "amrnb", "amrwb", "eac3", "flac", "gsm", "gsm_ms", "libopencore_amrnb",
    "libopencore_amrwb", "libopus", "libspeex", "libvorbis", "mp2", "mp2float", "mp3", "mp3float", "opus", "speex",
    "vorbis", "wmalossless", "wmapro", "wmav1", "wmav2", "wmavoice",
)  # fmt: skip
_CODEC_FAMILIES = ("pcm_", "adpcm_")

Write = Callable[[bytes, bytes], None]


class Refused(Exception):
    """The file is not unpacked; `too_long` tells that it is one that may be proper."""

    def __init__(self, why: str, *, too_long: bool = False) -> None:
        super().__init__(why)
        self.too_long = too_long

    def message(self) -> bytes:
        """The content of a REFUSED message."""
        return _json({"why": str(self), "too_long": self.too_long})


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to unpack: FFmpeg's name of the container, and what the sound may cost."""

    container: str
    max_duration_s: float
    max_sample_rate_hz: int
    max_channels: int


def unpack(data: bytes, order: Order, write: Write) -> None:
    """All of the first audio stream in messages, damaged packets left out. Raises Refused."""
    import av  # noqa: PLC0415 - the process that only asks for this has no use of it
    import av.error  # noqa: PLC0415 - as above

    codecs = _allowed(av.codecs_available)
    options = {
        "codec_whitelist": ",".join(sorted(codecs)),  # nor are pictures and subtitles beside the sound decoded
        "format_whitelist": order.container,
        "max_streams": str(_MOST_STREAMS),
        "protocol_whitelist": "none",
    }
    try:
        with av.open(
            io.BytesIO(data), mode="r", format=order.container, metadata_errors="ignore", options=options
        ) as container:
            if not container.streams.audio:
                raise Refused("the file holds no audio stream")
            stream = container.streams.audio[0]
            # Its types do not say so, but a stream whose codec FFmpeg lacks has no context.
            if getattr(stream.codec_context, "name", "") not in codecs:
                raise Refused("the file's sound is in no format that is read here")
            _Unpacking(stream, order, write).run(container.demux(stream))
    except (av.error.FFmpegError, ValueError, OverflowError) as error:
        raise Refused(f"the {order.container} file cannot be read: it is damaged or cut short") from error


class _Unpacking:
    """One stream on its way: what came, what was lost, and what is not written yet."""

    def __init__(self, stream: AudioStream, order: Order, write: Write) -> None:
        self._order = order
        self._write = write
        self._codec = stream.codec_context.name
        self._stated_s = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
        self._resampler: AudioResampler | None = None
        self._pcm = bytearray()
        self._seconds = 0.0
        self._packets = self._lost = 0
        self._last_lost = False

    def run(self, packets: Iterable[Packet[AudioStream]]) -> None:
        for packet in packets:
            for frame in self._decoded(packet):
                self._take(frame)
        for piece in self._resampler.resample(None) if self._resampler else ():
            self._pcm += _block(piece)
        if not self._seconds:
            raise Refused("the file holds no sound that can be decoded")
        self._write(PCM, bytes(self._pcm))
        self._write(TAIL, _json({"packets": self._packets, "lost": self._lost, "last_lost": self._last_lost}))

    def _decoded(self, packet: Packet[AudioStream]) -> list[AudioFrame]:
        from av.error import FFmpegError  # noqa: PLC0415 - as above

        try:
            frames = packet.decode()
        except FFmpegError:
            self._lost, self._last_lost = self._lost + 1, True
            frames = []
        else:
            self._last_lost = self._last_lost and not packet.size  # the empty one at the end only flushes
        self._packets += bool(packet.size)
        return frames

    def _take(self, frame: AudioFrame) -> None:
        self._seconds += frame.samples / (frame.sample_rate or 1)
        if self._seconds > self._order.max_duration_s:
            raise Refused(_too_long(self._order, self._stated_s), too_long=True)
        self._resampler = self._resampler or self._begun(frame)
        for piece in self._resampler.resample(frame):
            self._pcm += _block(piece)
        if len(self._pcm) >= _FLUSH_BYTES:
            self._write(PCM, bytes(self._pcm))
            self._pcm.clear()

    def _begun(self, frame: AudioFrame) -> AudioResampler:
        from av.audio.resampler import AudioResampler  # noqa: PLC0415 - as above

        rate, channels, order = frame.sample_rate, frame.layout.nb_channels, self._order
        if not 0 < rate <= order.max_sample_rate_hz:
            raise Refused(f"the file has {rate} Hz; at most {order.max_sample_rate_hz} Hz are read")
        if not 0 < channels <= order.max_channels:
            raise Refused(f"the file has {channels} channels; at most {order.max_channels} are read")
        head = {"sample_rate_hz": rate, "channels": channels, "codec": self._codec, "stated_s": self._stated_s}
        self._write(HEAD, _json(head))
        # Packed, so that a frame is one block however many channels it has: PyAV 18 reads behind the list of blocks
        # from eight on. A frame of another rate or layout later on is refused by the resampler (ValueError).
        return AudioResampler(format="flt", layout=frame.layout, rate=rate)


def _block(frame: AudioFrame) -> bytes:
    return bytes(frame.planes[0])[: frame.samples * frame.layout.nb_channels * 4]


def _too_long(order: Order, stated_s: float | None) -> str:
    told = f" (it says {stated_s:.1f} s)" if stated_s and stated_s > order.max_duration_s else ""
    return f"the audio is longer than {order.max_duration_s:g} s{told}"


def _allowed(available: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name in available if name in _CODECS or name.startswith(_CODEC_FAMILIES))


def _json(facts: Mapping[str, object]) -> bytes:
    return json.dumps(facts).encode()


def order_line(order: Order) -> bytes:
    """The first line of the process's input."""
    return _json(asdict(order)) + b"\n"


def _limit_this_process() -> None:
    """What a file makes this process do ends here: no files written, no core left, memory and time bounded.

    As far as the system bounds them.
    """
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not everywhere

    for what, most in (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_CPU, _PROCESSOR_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # no system has them all: macOS refuses to bound the memory
            _, hard = resource.getrlimit(what)
            resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _main() -> None:
    sys.path.append(sys.argv[1])  # where the asking process found PyAV
    _limit_this_process()
    order = Order(**json.loads(sys.stdin.buffer.readline()))
    out = sys.stdout.buffer

    def write(kind: bytes, content: bytes) -> None:
        out.write(MESSAGE.pack(kind, len(content)) + content)

    try:
        unpack(sys.stdin.buffer.read(), order, write)
    except Refused as refused:
        write(REFUSED, refused.message())
    out.flush()


if __name__ == "__main__":
    _main()
