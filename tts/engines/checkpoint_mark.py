"""Names checkpoints in folders, so that another one in the same folder is another model. Must not know engines."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

_FILES = ("config.json", "*.safetensors", "*.pth", "speech_tokenizer/config.json", "speech_tokenizer/*.safetensors")
_MARK_LETTERS = 8
_PEEK_BYTES = 64
_HEADER_MAX_BYTES = 100_000_000  # of safetensors itself


def model_name(source: str) -> str:
    """What a model is called in notes and profiles: a hub id as it is, a folder as its name and a mark of its content.

    `voices/base` becomes `base@1f0c22d9`. The mark changes with the configuration, with the tensors' names and shapes,
    and with their values, of which a few of each are read: gigabytes would take too long.
    """
    folder = Path(source)
    if not folder.is_dir():
        return source
    found = sorted({path for pattern in _FILES for path in folder.glob(pattern) if path.is_file()})
    sights = ((str(path.relative_to(folder)), path.stat()) for path in found)
    files = tuple((name, sight.st_size, sight.st_mtime_ns) for name, sight in sights)
    return f"{folder.name or folder.resolve().name}@{_mark(str(folder), files)}"


@lru_cache(maxsize=32)
def _mark(folder: str, files: tuple[tuple[str, int, int], ...]) -> str:
    """Eight hexadecimal letters; read again only when a file's size or time is another."""
    mark = hashlib.sha256()
    for name, size_bytes, _ in files:
        mark.update(f"{name}\0{size_bytes}\0".encode())
        try:
            for piece in _pieces(Path(folder) / name):
                mark.update(piece)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error, zipfile.BadZipFile):
            mark.update(b"damaged")  # loading it tells more
    return mark.hexdigest()[:_MARK_LETTERS]


def _pieces(path: Path) -> Iterator[bytes]:
    match path.suffix:
        case ".safetensors":
            yield from _tensors(path)
        case ".pth":
            with zipfile.ZipFile(path) as archive:  # its index holds a checksum of every tensor
                for entry in archive.infolist():
                    yield f"{entry.filename}\0{entry.CRC}\0{entry.file_size}\0".encode()
        case _:
            yield path.read_bytes()


def _tensors(path: Path) -> Iterator[bytes]:
    """The header, and the middle of every tensor."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > _HEADER_MAX_BYTES:
            raise ValueError("no safetensors")
        header = file.read(length)
        yield header
        for name, tensor in json.loads(header).items():
            if name != "__metadata__":
                begin, end = tensor["data_offsets"]
                file.seek(8 + length + max(begin, (begin + end - _PEEK_BYTES) // 2))
                yield file.read(min(_PEEK_BYTES, end - begin))
