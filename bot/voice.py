"""A stored voice as documents: its YAML file, and the records of its samples.

    VoiceError              nothing here is retryable: the document has to change
    ├── BadVoiceFile        a file that is no voice; names the field and the cure
    └── BadBundle           an export that is not whole, or holds what it should not (`bot.voice_bundle`)

Knows no store, no engine and no turn.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from bot.bounded_yaml import BadYaml, load_yaml
from bot.persona import problems_of, voice_document, voice_of
from bot.persona_form import StoredVoiceForm
from tts.contract import Voice
from tts.voices.samples import StoredSample


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
    loaded = _loaded(document)
    if not isinstance(loaded, dict):
        raise BadVoiceFile((("document", "a voice file is a mapping with id, language, prompt and so on"),))
    try:
        form = StoredVoiceForm.model_validate(loaded)
    except ValidationError as error:
        raise BadVoiceFile(problems_of(error)) from error
    return voice_of(form, voice_id=form.id, language=form.language)


def _loaded(document: bytes | str) -> Any:
    try:
        return load_yaml(document)
    except BadYaml as error:
        raise BadVoiceFile((("document", str(error)),)) from error


def dump_voice(voice: Voice) -> str:
    """The YAML file of a voice: `parse_voice` gives the same voice back."""
    document = {"id": voice.id, "language": voice.language} | voice_document(voice)
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=120)


# -- samples ----------------------------------------------------------------------------------------------------------

_SAMPLE: TypeAdapter[StoredSample] = TypeAdapter(StoredSample)
_SAMPLES: TypeAdapter[list[StoredSample]] = TypeAdapter(list[StoredSample])
SAMPLES_MAX = 100


def parse_sample(document: bytes | str) -> StoredSample:
    """A sample's record from its JSON; raises BadVoiceFile."""
    try:
        return _SAMPLE.validate_json(document)
    except ValidationError as error:
        raise BadVoiceFile(problems_of(error)) from error


def dump_sample(sample: StoredSample) -> bytes:
    """The JSON of a sample's record: `parse_sample` gives the same record back."""
    return _SAMPLE.dump_json(sample)


def parse_samples(document: bytes | str) -> tuple[StoredSample, ...]:
    """The records in a bundle's YAML file; raises BadVoiceFile."""
    loaded = _loaded(document) or []
    if isinstance(loaded, list) and len(loaded) > SAMPLES_MAX:
        raise BadVoiceFile((("samples", f"{len(loaded)} of them; a bundle has at most {SAMPLES_MAX}"),))
    try:
        return tuple(_SAMPLES.validate_python(loaded))
    except ValidationError as error:
        raise BadVoiceFile(problems_of(error)) from error


def dump_samples(samples: Iterable[StoredSample]) -> str:
    """The YAML file of the records in a bundle: `parse_samples` gives the same records back."""
    records = [_SAMPLE.dump_python(sample, mode="json") for sample in samples]
    return yaml.safe_dump(records, allow_unicode=True, sort_keys=False, width=120)
