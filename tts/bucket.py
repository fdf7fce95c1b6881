"""Blobs in a bucket or anywhere else fsspec reaches: S3, GCS, Azure, a mounted share. Must not know what they are."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tts.blobs import Cipher, blob_id_of, content_of, is_blob_id
from tts.errors import EngineUnavailable

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


class FsspecBlobStore:
    """Blobs as objects `ROOT/ab/cd/abcd…` of an fsspec file system; a put is one whole write.

    Ages are those the file system tells, against `clock` in seconds since the epoch.
    """

    def __init__(
        self,
        files: AbstractFileSystem,
        root: str,
        *,
        cipher: Cipher | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._files = files
        self._root = root.rstrip("/")
        self._cipher = cipher
        self._clock = clock

    async def put(self, data: bytes) -> str:
        """Store and return the id; bytes that are there already count as new again."""
        return await asyncio.to_thread(self._put, data)

    async def get(self, blob_id: str) -> bytes:
        """The bytes; KeyError when they are gone, damaged, or the id is none."""
        try:
            stored = await asyncio.to_thread(self._files.cat_file, self._path(blob_id))
        except FileNotFoundError as error:
            raise KeyError(blob_id) from error
        return content_of(blob_id, stored, self._cipher)

    async def delete(self, blob_id: str) -> None:
        """Forget the bytes; an unknown id is no error."""
        with contextlib.suppress(KeyError, FileNotFoundError):
            await asyncio.to_thread(self._files.rm_file, self._path(blob_id))

    async def sweep(self, *, older_than_s: float, keep: frozenset[str]) -> int:
        """Delete blobs older than that and not in `keep`; how many went."""
        return await asyncio.to_thread(self._sweep, older_than_s, keep)

    def _path(self, blob_id: str) -> str:
        if not is_blob_id(blob_id):
            raise KeyError(blob_id)
        return f"{self._root}/{blob_id[:2]}/{blob_id[2:4]}/{blob_id}"

    def _put(self, data: bytes) -> str:
        blob_id = blob_id_of(data)
        path = self._path(blob_id)
        self._files.makedirs(path.rpartition("/")[0], exist_ok=True)  # where folders are only names this does nothing
        self._files.pipe_file(path, self._cipher.seal(data) if self._cipher else data)
        return blob_id

    def _sweep(self, older_than_s: float, keep: frozenset[str]) -> int:
        newest_s = self._clock() - older_than_s
        gone = 0
        for path in self._files.find(self._root):
            name = path.rpartition("/")[2]
            if not is_blob_id(name) or name in keep:
                continue
            with contextlib.suppress(FileNotFoundError):  # another sweep was faster
                if self._files.modified(path).timestamp() <= newest_s:
                    self._files.rm_file(path)
                    gone += 1
        return gone


def open_bucket(url: str, *, cipher: Cipher | None = None) -> FsspecBlobStore:
    """The store at an fsspec URL such as `s3://bucket/folder`; credentials come from where the library takes them.

    Raises EngineUnavailable with the cure when the package for this kind of URL is not installed.
    """
    try:
        from fsspec.core import url_to_fs  # noqa: PLC0415 - an extra

        files, root = url_to_fs(url)
    except ImportError as error:
        raise EngineUnavailable(f'{url}: pip install "recado[s3]" for buckets ({error})') from error
    except ValueError as error:
        raise EngineUnavailable(f"{url} is no place fsspec knows: {error}") from error
    return FsspecBlobStore(files, root, cipher=cipher)
