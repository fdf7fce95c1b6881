"""A stored voice as documents: its YAML file, the records of its samples, and a bundle of all of it.

    VoiceError              nothing here is retryable: the document has to change
    ├── BadVoiceFile        a file that is no voice; names the field and the cure
    └── BadBundle           an export that is not whole, or holds what it should not

Knows no store, no engine and no turn.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import yaml
from pydantic import TypeAdapter, ValidationError

from bot.persona import problems_of, voice_document, voice_of
from bot.persona_form import StoredVoiceForm
from tts.blobs import blob_id_of, is_blob_id
from tts.casting import RECORDED
from tts.contract import Voice
from tts.voices.samples import StoredSample

VOICE_FILE, SAMPLES_FILE, SAMPLES_FOLDER = "voice.yaml", "samples.yaml", "samples"
_MOST_SAMPLES = 100
_FILE_MAX_BYTES = 15_000_000


class VoiceError(Exception):
    """Base of what goes wrong with voice documents."""

    retryable = False


class BadVoiceFile(VoiceError):
    """A document that is no voice. `problems` are (field path, what is wrong and what would be right)."""

    def __init__(self, problems: tuple[tuple[str, str], ...]) -> None:
        super().__init__("; ".join(f"{path}: {problem}" for path, problem in problems))
        self.problems = problems


class BadBundle(VoiceError):
    """An export that cannot be imported; the message says what is missing or wrong."""


def parse_voice(document: bytes | str) -> Voice:
    """A voice from its YAML file; raises BadVoiceFile with the field's path and the cure."""
    try:
        loaded = yaml.safe_load(document)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadVoiceFile((("document", f"not readable as YAML: {error}"),)) from error
    if not isinstance(loaded, dict):
        raise BadVoiceFile((("document", "a voice file is a mapping with id, language, prompt and so on"),))
    try:
        form = StoredVoiceForm.model_validate(loaded)
    except ValidationError as error:
        raise BadVoiceFile(problems_of(error)) from error
    return voice_of(form, voice_id=form.id, language=form.language)


def dump_voice(voice: Voice) -> str:
    """The YAML file of a voice: `parse_voice` gives the same voice back."""
    document = {"id": voice.id, "language": voice.language} | voice_document(voice)
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=120)


# -- samples ----------------------------------------------------------------------------------------------------------

_SAMPLE: TypeAdapter[StoredSample] = TypeAdapter(StoredSample)
_SAMPLES: TypeAdapter[list[StoredSample]] = TypeAdapter(list[StoredSample])


def parse_sample(document: bytes | str) -> StoredSample:
    """A sample's record from its JSON; raises BadVoiceFile."""
    try:
        return _SAMPLE.validate_json(document)
    except ValidationError as error:
        raise BadVoiceFile(problems_of(error)) from error


def dump_sample(sample: StoredSample) -> bytes:
    """The JSON of a sample's record: `parse_sample` gives the same record back."""
    return _SAMPLE.dump_json(sample)


# -- bundles ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A voice with everything it is made of: `files` are the prepared recordings by their ids."""

    voice: Voice
    samples: tuple[StoredSample, ...]
    files: Mapping[str, bytes] = field(repr=False)


def write_bundle(bundle: Bundle, place: Path) -> None:
    """Write it as one zip where the name ends in .zip, else as a folder; recordings are named by their hashes."""
    records = [_SAMPLE.dump_python(sample, mode="json") for sample in bundle.samples]
    contents = {
        VOICE_FILE: dump_voice(bundle.voice).encode(),
        SAMPLES_FILE: yaml.safe_dump(records, allow_unicode=True, sort_keys=False, width=120).encode(),
        **{f"{SAMPLES_FOLDER}/{name}.flac": data for name, data in bundle.files.items()},
    }
    if place.suffix.lower() == ".zip":
        with zipfile.ZipFile(place, "w") as archive:  # FLAC does not get smaller, so nothing is compressed
            for name, data in contents.items():
                archive.writestr(name, data)
    else:
        (place / SAMPLES_FOLDER).mkdir(parents=True, exist_ok=True)
        for name, data in contents.items():
            (place / name).write_bytes(data)


def read_bundle(place: Path) -> Bundle:
    """A bundle from a zip or folder, every recording compared with its hash. Raises BadBundle or BadVoiceFile.

    Only the names a bundle has are looked for, and nothing is read beyond the size of a sample.
    """
    read = _zip_reader(place) if place.is_file() else _folder_reader(place)
    voice = parse_voice(read(VOICE_FILE))
    try:
        samples = tuple(_SAMPLES.validate_python(yaml.safe_load(read(SAMPLES_FILE)) or []))
    except yaml.YAMLError as error:
        raise BadBundle(f"{SAMPLES_FILE} is not readable as YAML") from error
    except ValidationError as error:
        raise BadVoiceFile(problems_of(error)) from error
    if len(samples) > _MOST_SAMPLES:
        raise BadBundle(f"{len(samples)} samples; a bundle has at most {_MOST_SAMPLES}")
    files = {}
    for sample in samples:
        if not is_blob_id(sample.id):
            raise BadBundle(f"{sample.id!r} is no sample's id")
        files[sample.id] = read(f"{SAMPLES_FOLDER}/{sample.id}.flac")
        if blob_id_of(files[sample.id]) != sample.id:
            raise BadBundle(f"sample {sample.id[:12]} is not what its name says: the file was changed or damaged")
    missing = {source.ref for source in voice.sources if source.kind in RECORDED} - set(files)
    if missing:
        raise BadBundle(f"the mix names samples that are not in the bundle: {', '.join(sorted(missing))}")
    return Bundle(voice=voice, samples=samples, files=files)


def _zip_reader(place: Path) -> Callable[[str], bytes]:
    def read(name: str) -> bytes:
        try:
            with zipfile.ZipFile(place) as archive, archive.open(name) as file:
                return _bounded(file, name)
        except KeyError as error:
            raise BadBundle(f"{place.name} holds no {name}") from error
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise BadBundle(f"{place.name} is no readable zip file") from error

    return read


def _folder_reader(place: Path) -> Callable[[str], bytes]:
    def read(name: str) -> bytes:
        try:
            with (place / name).open("rb") as file:
                return _bounded(file, name)
        except FileNotFoundError as error:
            raise BadBundle(f"{place} holds no {name}") from error

    return read


def _bounded(file: IO[bytes], name: str) -> bytes:
    data = file.read(_FILE_MAX_BYTES + 1)
    if len(data) > _FILE_MAX_BYTES:
        raise BadBundle(f"{name} is larger than {_FILE_MAX_BYTES / 1e6:g} MB")
    return data
