"""Keeps bytes under the hash of their content: on disk, or in memory for tests. Must not know what the bytes are.

With a cipher they are encrypted where they lie. Ids stay the hash of the content, so what was stored in the clear
before a key was set is still found, and what was damaged is noticed.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from tts.errors import BlobLocked

_BLOB_ID = re.compile(r"[0-9a-f]{64}")
_TEMPORARY = ".part-"
_SEALED = b"gAAAA"  # how every Fernet token begins: version and the high bytes of a time
_LOCKED = "stored under another key: SAMPLES_KEY has to list the key it was stored with"


class Cipher(Protocol):
    """Encrypts bytes at rest."""

    def seal(self, data: bytes) -> bytes:
        """The bytes, encrypted and signed."""
        ...

    def unseal(self, sealed: bytes) -> bytes | None:
        """The bytes again, or None when no key at hand sealed them."""
        ...


def blob_id_of(data: bytes) -> str:
    """The id these bytes have in every store: their SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def is_blob_id(name: str) -> bool:
    """Whether this can be an id: nothing else ever becomes a part of a path."""
    return _BLOB_ID.fullmatch(name) is not None


def content_of(blob_id: str, stored: bytes, cipher: Cipher | None) -> bytes:
    """What was put, out of what lies in the store. KeyError when it is damaged, BlobLocked when no key opens it."""
    if blob_id_of(stored) == blob_id:
        return stored
    data = cipher.unseal(stored) if cipher else None
    if data is not None and blob_id_of(data) == blob_id:
        return data
    if is_sealed(stored):
        raise BlobLocked(_LOCKED)
    raise KeyError(blob_id)


def opened(stored: bytes, cipher: Cipher | None) -> bytes:
    """What was sealed, or what was stored in the clear, as it is. Raises BlobLocked when no key opens it."""
    if not is_sealed(stored):
        return stored
    data = cipher.unseal(stored) if cipher else None
    if data is None:
        raise BlobLocked(_LOCKED)
    return data


def is_sealed(stored: bytes) -> bool:
    """Whether these bytes, or their beginning, lie encrypted."""
    return stored.startswith(_SEALED)


def in_the_clear(folder: Path) -> int:
    """How many blobs of a folder lie unencrypted."""
    count = 0
    for path in folder.glob("??/??/*"):
        if is_blob_id(path.name):
            with path.open("rb") as file:
                count += not is_sealed(file.read(len(_SEALED)))
    return count


class FolderBlobStore:
    """Blobs as files `ab/cd/abcd…` below `folder`, readable by the owner only; a file is whole or not there.

    `clock` gives seconds since the epoch, as file times do.
    """

    def __init__(self, folder: Path, *, cipher: Cipher | None = None, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._cipher = cipher
        self._clock = clock

    async def put(self, data: bytes) -> str:
        """Store and return the id; bytes that are there already count as new again."""
        return await asyncio.to_thread(self._put, data)

    async def get(self, blob_id: str) -> bytes:
        """The bytes; KeyError when they are gone or the id is none."""
        try:
            return await asyncio.to_thread(self._get, blob_id)
        except FileNotFoundError as error:
            raise KeyError(blob_id) from error

    async def delete(self, blob_id: str) -> None:
        """Forget the bytes; an unknown id is no error."""
        with contextlib.suppress(KeyError):
            await asyncio.to_thread(self._path(blob_id).unlink, missing_ok=True)

    async def sweep(self, *, older_than_s: float, keep: frozenset[str]) -> int:
        """Delete blobs older than that and not in `keep`, and what interrupted writes left; how many blobs went."""
        return await asyncio.to_thread(self._sweep, older_than_s, keep)

    def _path(self, blob_id: str) -> Path:
        # Ids are checked, so that no id can name a file elsewhere.
        if not is_blob_id(blob_id):
            raise KeyError(blob_id)
        return self._folder / blob_id[:2] / blob_id[2:4] / blob_id

    def _get(self, blob_id: str) -> bytes:
        return content_of(blob_id, self._path(blob_id).read_bytes(), self._cipher)

    def _put(self, data: bytes) -> str:
        blob_id = blob_id_of(data)
        path = self._path(blob_id)
        self._make_folders(path.parent)
        handle, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=path.parent)  # made with mode 0600
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(self._cipher.seal(data) if self._cipher else data)
                file.flush()
                os.fsync(file.fileno())
            now_s = self._clock()
            os.utime(temporary, (now_s, now_s))
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self._sync_folder(path.parent)
        return blob_id

    def _make_folders(self, folder: Path) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for step in (folder.parent, folder):
            if not step.exists():
                step.mkdir(mode=0o700, exist_ok=True)
                self._sync_folder(step.parent)

    @staticmethod
    def _sync_folder(folder: Path) -> None:
        """Make the new name durable, not only the bytes."""
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _sweep(self, older_than_s: float, keep: frozenset[str]) -> int:
        newest_s = self._clock() - older_than_s
        gone = 0
        for path in self._files():
            with contextlib.suppress(FileNotFoundError):  # another sweep was faster
                if path.name not in keep and path.stat().st_mtime <= newest_s:
                    path.unlink()
                    gone += not path.name.startswith(_TEMPORARY)
        return gone

    def _files(self) -> Iterator[Path]:
        for path in self._folder.glob("??/??/*"):
            if is_blob_id(path.name) or path.name.startswith(_TEMPORARY):
                yield path


class MemoryBlobStore:
    """Blobs in a dict: the fake that keeps the same contract."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._blobs: dict[str, tuple[bytes, float]] = {}

    async def put(self, data: bytes) -> str:
        """Store and return the id."""
        blob_id = blob_id_of(data)
        self._blobs[blob_id] = (data, self._clock())
        return blob_id

    async def get(self, blob_id: str) -> bytes:
        """The bytes, or KeyError."""
        return self._blobs[blob_id][0]

    async def delete(self, blob_id: str) -> None:
        """Forget the bytes."""
        self._blobs.pop(blob_id, None)

    async def sweep(self, *, older_than_s: float, keep: frozenset[str]) -> int:
        """Delete the old that are not kept; how many went."""
        newest_s = self._clock() - older_than_s
        old = [name for name, (_, at_s) in self._blobs.items() if name not in keep and at_s <= newest_s]
        for name in old:
            del self._blobs[name]
        return len(old)
