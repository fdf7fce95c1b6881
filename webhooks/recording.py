"""Keeps raw webhooks in append-only files, one JSON object a line, so that they can be replayed. Off unless asked for.

Knows no channel: bytes, headers and a time are all it sees. A new file begins every hour, or sooner when there is much,
so that age and size can be kept by deleting whole files, oldest first. Only their owner can read them. Several
processes may share a folder.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import itertools
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import orjson
import structlog

KEPT_HEADERS = ("content-type", "user-agent", "x-hub-signature-256")
"""Every other header is left out: cookies, tokens and the addresses of proxies have no place in a recording."""

DAY_S = 24 * 3600.0

_PIECES = 8
_PIECE_MS = 3600_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedWebhook:
    """One webhook as it arrived: time (milliseconds since 1970), kept headers (lower-case names) and exact bytes."""

    received_at_ms: int
    headers: Mapping[str, str]
    body: bytes

    def to_line(self) -> bytes:
        """One line of a recording, newline included."""
        record = {
            "received_at_ms": self.received_at_ms,
            "headers": dict(self.headers),
            "body_base64": base64.b64encode(self.body).decode(),
        }
        return orjson.dumps(record) + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> RecordedWebhook:
        """The inverse of `to_line`; raises ValueError for a line that is none, such as one torn by a crash."""
        try:
            record = orjson.loads(line)
            return cls(
                received_at_ms=int(record["received_at_ms"]),
                headers={str(name): str(value) for name, value in record["headers"].items()},
                body=base64.b64decode(record["body_base64"], validate=True),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError("not a recorded webhook") from error


class FileRecording:
    """A `RecordingSink` in `folder`. Keeps about `max_bytes` and nothing older than `max_age_s`, by whole files."""

    def __init__(self, folder: Path, *, max_bytes: int = 256 * 2**20, max_age_s: float = DAY_S) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_age_ms = int(max_age_s * 1000)
        self._identity = ""
        self._lock = asyncio.Lock()
        self._piece: _Piece | None = None

    @property
    def max_age_ms(self) -> int:
        """Nothing is kept longer than this, milliseconds; what is older goes at the latest with the next start."""
        return self._max_age_ms

    async def identity(self) -> str:
        """A random name of the folder, made once: by it others tell the recordings of one installation apart."""
        if not self._identity:
            self._identity = await asyncio.to_thread(self._named)
        return self._identity

    async def record(self, *, received_at_ms: int, headers: Mapping[str, str], body: bytes) -> None:
        """See `RecordingSink.record`. A full disk costs the recording, never the webhook."""
        kept = {name.lower(): value for name, value in headers.items() if name.lower() in KEPT_HEADERS}
        webhook = RecordedWebhook(received_at_ms=received_at_ms, headers=kept, body=body)
        async with self._lock:
            try:
                await asyncio.to_thread(self._append, webhook)
            except OSError as error:
                log.warning("recording_failed", error=type(error).__name__, errno=error.errno)

    async def prune(self, now_ms: int) -> None:
        """Delete what is too old or too much. Happens by itself with every new file; call it where traffic may stop."""
        async with self._lock:
            await asyncio.to_thread(self._prune, now_ms)

    async def forget(self, marks: Sequence[str]) -> int:
        """Remove every webhook that mentions one of `marks` (a phone number, a user id); how many there were.

        They are off the disk when this returns, and after a crash in its midst the next call finds the rest. A number
        that is part of a longer one counts as mentioned. Raises OSError.
        """
        needles = [mark.encode() for mark in marks if mark]
        if not needles:
            return 0
        async with self._lock:
            self._piece = None  # what comes meanwhile begins a new file and waits for none that is being struck
        return await asyncio.to_thread(lambda: sum(_strike(path, needles) for path in recordings(self._folder)))

    def _named(self) -> str:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _held(self._folder / "identity", "a+b") as file:
            file.seek(0)
            name = file.read().decode() or secrets.token_hex(10)
            if not file.tell():
                file.write(name.encode())
            return name

    def _append(self, webhook: RecordedWebhook) -> None:
        line = webhook.to_line()
        if self._piece is None or not self._piece.takes(webhook.received_at_ms, len(line)):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._prune(webhook.received_at_ms)
            path = self._folder / _file_name(webhook.received_at_ms)
            self._piece = _Piece(path=path, from_ms=webhook.received_at_ms, max_bytes=self._max_bytes // _PIECES)
        with _held(self._piece.path, "ab") as file:
            file.write(line)
        self._piece.size_bytes += len(line)

    def _prune(self, now_ms: int) -> None:
        oldest = _file_name(now_ms - self._max_age_ms)
        budget_bytes = self._max_bytes - self._max_bytes // _PIECES
        for path in reversed(recordings(self._folder)):
            with contextlib.suppress(FileNotFoundError):  # another process was quicker
                budget_bytes -= path.stat().st_size
                if path.name < oldest or budget_bytes < 0:
                    path.unlink()


@dataclass(slots=True, kw_only=True)
class _Piece:
    """The file being written. Each start of the program begins a new one, so no torn line is ever continued."""

    path: Path
    from_ms: int
    max_bytes: int
    size_bytes: int = 0

    def takes(self, at_ms: int, more_bytes: int) -> bool:
        fresh = at_ms - self.from_ms < _PIECE_MS
        return fresh and (not self.size_bytes or self.size_bytes + more_bytes <= self.max_bytes)


def recordings(folder: Path) -> list[Path]:
    """The files of a recording, oldest first."""
    return sorted(folder.glob("webhooks-*.jsonl"))


def read_recordings(folder: Path) -> Iterator[RecordedWebhook]:
    """Every whole webhook that `folder` holds when this is called, oldest first; what comes later is not read.

    So whoever sends them to the installation that records there comes to an end.
    """
    sizes = [(path, path.stat().st_size) for path in recordings(folder)]
    return itertools.chain.from_iterable(read_recording(path, up_to_bytes=size) for path, size in sizes)


def read_recording(path: Path, *, up_to_bytes: int | None = None) -> Iterator[RecordedWebhook]:
    """Every whole webhook of one file, in the order of arrival; a line torn by a crash is left out.

    Ends at `up_to_bytes`, or at the size that the file has when its first line is asked for.
    """
    with path.open("rb") as file:
        left = os.fstat(file.fileno()).st_size if up_to_bytes is None else up_to_bytes
        for line in file:
            left -= len(line)
            if left < 0:
                return
            try:
                yield RecordedWebhook.from_line(line)
            except ValueError:
                log.warning("recording_line_unreadable", file=path.name)


def _strike(path: Path, needles: Sequence[bytes]) -> int:
    """Rewrite one file in its place; how many lines went.

    No copy lies anywhere for a crash to leave behind. A crash in the midst may tear one line that was to be kept.
    """
    try:
        with _held(path, "r+b") as file:
            kept, struck = [], 0
            for line in file:
                if _mentions(line, needles):
                    struck += 1
                else:
                    kept.append(line)
            if struck:
                file.seek(0)
                file.writelines(kept)
                file.truncate()
                file.flush()
                os.fsync(file.fileno())
            return struck
    except FileNotFoundError:  # too old by now
        return 0


def _mentions(line: bytes, needles: Sequence[bytes]) -> bool:
    try:
        body = RecordedWebhook.from_line(line).body
    except ValueError:  # torn by a crash: nobody can tell whom it mentions
        return True
    return any(needle in body for needle in needles)


@contextlib.contextmanager
def _held(path: Path, mode: str) -> Iterator[IO[bytes]]:
    """The open file, which no other process or thread writes meanwhile."""
    with open(path, mode, opener=_owner_only) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file  # closing writes out what is buffered and lets go


def _file_name(from_ms: int) -> str:
    start = datetime.fromtimestamp(from_ms // 1000, UTC)
    return f"webhooks-{start:%Y-%m-%dT%H-%M-%S}.{from_ms % 1000:03d}.jsonl"


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
