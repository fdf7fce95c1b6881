"""A voice as one file to carry away: a zip or folder with its YAML file, the records of its samples, and their audio.

Archives come from anybody: only the names a bundle has are looked for, and nothing is read beyond what those may
measure. Knows no store, no engine and no turn.
"""

from __future__ import annotations

import os
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from bot.bounded_yaml import DOCUMENT_MAX_BYTES
from bot.voice import (
    SAMPLES_MAX,
    BadBundle,
    dump_samples,
    dump_voice,
    parse_samples,
    parse_voice,
)
from tts.blobs import blob_id_of, is_blob_id
from tts.contract import Voice
from tts.material import RECORDED
from tts.voices.samples import StoredSample

VOICE_FILE, SAMPLES_FILE, SAMPLES_FOLDER = "voice.yaml", "samples.yaml", "samples"
_RECORDING_MAX_BYTES = 4_000_000  # a minute at 24 kHz and 16 bit has 2.9
_DIRECTORY_MAX_BYTES = 64 * 1024  # a hundred samples have 15 KB
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what others unfold to is not bounded by what is read

_Read = Callable[[str, int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A voice with everything it is made of: `files` are the prepared recordings by their ids."""

    voice: Voice
    samples: tuple[StoredSample, ...]
    files: Mapping[str, bytes] = field(repr=False)


# -- out --------------------------------------------------------------------------------------------------------------


def write_bundle(bundle: Bundle, place: Path) -> None:
    """Write it as one zip where the name ends in .zip, else as a folder; recordings are named by their hashes.

    Nothing in it is encrypted, so only the owner may read it. A zip is whole or not there.
    """
    contents = {
        VOICE_FILE: dump_voice(bundle.voice).encode(),
        SAMPLES_FILE: dump_samples(bundle.samples).encode(),
        **{f"{SAMPLES_FOLDER}/{name}.flac": data for name, data in bundle.files.items()},
    }
    if place.suffix.lower() == ".zip":
        with _replaced(place) as file, zipfile.ZipFile(file, "w") as archive:
            for name, data in contents.items():  # FLAC does not get smaller, so nothing is compressed
                archive.writestr(name, data)
    else:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        (place / SAMPLES_FOLDER).mkdir(mode=0o700, exist_ok=True)
        for name, data in contents.items():
            with _replaced(place / name) as file:
                file.write(data)


@contextmanager
def _replaced(place: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of what is there once it is written, with mode 0600."""
    handle, name = tempfile.mkstemp(prefix=".part-", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        Path(name).replace(place)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


# -- in ---------------------------------------------------------------------------------------------------------------


def read_bundle(place: Path) -> Bundle:
    """A bundle from a zip or folder, every recording compared with its hash. Raises BadBundle or BadVoiceFile."""
    opened = _zip_reader(place) if place.is_file() else _folder_reader(place)
    with opened as read:
        voice = parse_voice(read(VOICE_FILE, DOCUMENT_MAX_BYTES))
        samples = parse_samples(read(SAMPLES_FILE, DOCUMENT_MAX_BYTES))
        files = {sample.id: _recording(sample.id, read) for sample in samples}
    if len(files) < len(samples):
        raise BadBundle(f"{SAMPLES_FILE} names a sample twice")
    missing = {source.ref for source in voice.sources if source.kind in RECORDED} - set(files)
    if missing:
        raise BadBundle(f"the mix names samples that are not in the bundle: {', '.join(sorted(missing))}")
    return Bundle(voice=voice, samples=samples, files=files)


def _recording(sample_id: str, read: _Read) -> bytes:
    if not is_blob_id(sample_id):
        raise BadBundle(f"{sample_id[:80]!r} is no sample's id")
    name = f"{SAMPLES_FOLDER}/{sample_id}.flac"
    data = read(name, _RECORDING_MAX_BYTES)
    if blob_id_of(data) != sample_id:
        raise BadBundle(f"sample {sample_id[:12]} is not what its name says: the file was changed or damaged")
    if not data.startswith(b"fLaC"):
        raise BadBundle(f"{name} is no FLAC file, as recordings in a bundle are")
    return data


@contextmanager
def _zip_reader(place: Path) -> Iterator[_Read]:
    def read(name: str, max_bytes: int) -> bytes:
        try:
            info = archive.getinfo(name)
            if info.compress_type not in _COMPRESSIONS:
                raise BadBundle(f"{name} is compressed in a way that is not read here; pack it anew as an ordinary zip")
            with archive.open(info) as file:
                return _bounded(file, name, max_bytes)
        except KeyError as error:
            raise BadBundle(f"{place.name} holds no {name}") from error
        except _ZIP_TROUBLE as error:
            raise BadBundle(f"{name} in {place.name} cannot be unpacked: it is damaged, or locked") from error

    try:
        with place.open("rb") as file:
            _check_directory(file, place.name)
        archive = zipfile.ZipFile(place)
    except _ZIP_TROUBLE as error:
        raise BadBundle(f"{place.name} is no readable zip file") from error
    with archive:
        yield read


# RuntimeError is how zipfile tells of a password, NotImplementedError of a compression; the rest is damage.
_ZIP_TROUBLE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OSError, OverflowError, RuntimeError,
    ValueError,
)  # fmt: skip
_END = struct.Struct("<4s8xII")  # signature; size and place of the directory


def _check_directory(file: IO[bytes], name: str) -> None:
    """Refuse a directory of a size that no bundle has before zipfile reads all of it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 0xFFFF - 22))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + _END.size > len(tail):
        raise zipfile.BadZipFile
    _, directory_bytes, _ = _END.unpack_from(tail, at)
    if directory_bytes > _DIRECTORY_MAX_BYTES or b"PK\6\7" in tail[max(0, at - 20) : at]:
        raise BadBundle(f"{name} holds more files than a bundle of {SAMPLES_MAX} samples")


@contextmanager
def _folder_reader(place: Path) -> Iterator[_Read]:
    def read(name: str, max_bytes: int) -> bytes:
        path = place / name
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # a pipe would never end
                raise BadBundle(f"{path} is no file")
            with path.open("rb") as file:
                return _bounded(file, name, max_bytes)
        except FileNotFoundError as error:
            raise BadBundle(f"{place} holds no {name}") from error
        except OSError as error:
            raise BadBundle(f"{path} cannot be read: {error.strerror}") from error

    yield read


def _bounded(file: IO[bytes], name: str, max_bytes: int) -> bytes:
    data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        size = f"{max_bytes / 1e6:g} MB" if max_bytes >= 1_000_000 else f"{max_bytes // 1024} KB"
        raise BadBundle(f"{name} is larger than {size}")
    return data
