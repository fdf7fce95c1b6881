"""What this installation says it made: a signed record for every note, and the answer to "is this file ours?".

A record names a voice, sources and consents by their ids and holds nobody's words. Signatures are Ed25519 (RFC 8032)
over canonical JSON. Must not know chats, stores or engines.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pydantic import TypeAdapter, ValidationError

from tts.audio.coded import coded_audio_sha256
from tts.contract import VoiceNote
from tts.errors import BadAudio, TtsError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_FILE = "provenance.key"
_KEY_BYTES = 32


class BadKey(TtsError):
    """A key that cannot be used; the message names the cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One note's origin. `made_at` is ISO 8601 in UTC; `coded_sha256` is of the coded sound without its container.

    `sources` are "kind:ref" and `consents` "sample id:consent mark", for the parts of the voice that have weight.
    """

    id: str
    made_at: str
    file_sha256: str
    coded_sha256: str
    duration_s: float
    voice_id: str
    voice_version: int
    sources: tuple[str, ...]
    consents: tuple[str, ...]
    engine: str
    model: str
    scores: tuple[tuple[str, float], ...]
    turn_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRecord:
    """A record, the key it was signed with (the beginning of the public key's SHA-256) and the signature in base64."""

    record: Record
    key_id: str
    signature: str


class Match(StrEnum):
    """What of a file was found again."""

    FILE = "file"  # byte for byte
    SOUND = "sound"  # the coded sound, in another container or with other tags


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRecord:
    """A record that names a file, and by what."""

    signed: SignedRecord
    match: Match


class ProvenanceStore(Protocol):
    """Keeps signed records for as long as the installation wants to answer for them."""

    async def put(self, signed: SignedRecord) -> None:
        """Keep it."""
        ...

    async def find(self, *, file_sha256: str, coded_sha256: str) -> FoundRecord | None:
        """The newest record of that file, else of that sound; None when neither is known. "" matches nothing."""
        ...


class SigningKeys:
    """Signs with the first key, verifies with any: keys stay in the list while records of theirs are kept."""

    def __init__(self, seeds: Sequence[bytes]) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 - loads OpenSSL
            Ed25519PrivateKey,
        )

        keys = [Ed25519PrivateKey.from_private_bytes(seed) for seed in seeds]
        self._signing: Ed25519PrivateKey = keys[0]
        self._public: dict[str, Ed25519PublicKey] = {_key_id(key.public_key()): key.public_key() for key in keys}
        self.key_id = _key_id(keys[0].public_key())

    def sign(self, record: Record) -> SignedRecord:
        """The record with our name under it."""
        signature = base64.b64encode(self._signing.sign(canonical(record))).decode()
        return SignedRecord(record=record, key_id=self.key_id, signature=signature)

    def verify(self, signed: SignedRecord) -> bool:
        """Whether one of our keys signed exactly this record."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - loads OpenSSL

        public = self._public.get(signed.key_id)
        if public is None:
            return False
        try:
            public.verify(base64.b64decode(signed.signature, validate=True), canonical(signed.record))
        except (InvalidSignature, binascii.Error):
            return False
        return True


def canonical(record: Record) -> bytes:
    """The record as the bytes that are signed: JSON with sorted keys and no spaces."""
    return json.dumps(asdict(record), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


_SIGNED = TypeAdapter(SignedRecord)


def dump_signed(signed: SignedRecord) -> bytes:
    """One line of JSON; `load_signed` gives the same back."""
    return json.dumps(asdict(signed), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def load_signed(data: bytes | str) -> SignedRecord | None:
    """What `dump_signed` wrote; None for anything else."""
    try:
        return _SIGNED.validate_json(data)
    except ValidationError:
        return None


def record_of(
    note: VoiceNote, *, sources: Sequence[str], consents: Sequence[str], turn_id: str, now: datetime
) -> Record:
    """The record of a finished note. Blocks for some milliseconds."""
    return Record(
        id=note.id,
        made_at=now.astimezone(UTC).isoformat(timespec="seconds"),
        file_sha256=note.sha256,
        coded_sha256=coded_audio_sha256(note.data),
        duration_s=round(note.duration_s, 3),
        voice_id=note.voice_id,
        voice_version=note.voice_version,
        sources=tuple(sources),
        consents=tuple(consents),
        engine=note.engine,
        model=note.model,
        scores=tuple((name, round(value, 4)) for name, value in note.scores),
        turn_id=turn_id,
    )


async def find_record(data: bytes, stores: Sequence[ProvenanceStore]) -> FoundRecord | None:
    """The record of a file in any of the stores; a match of the whole file goes before one of its sound."""
    try:
        coded = coded_audio_sha256(data)
    except BadAudio:
        coded = ""
    file_sha256 = hashlib.sha256(data).hexdigest()
    found = [await store.find(file_sha256=file_sha256, coded_sha256=coded) for store in stores]
    known = [one for one in found if one is not None]
    return min(known, key=lambda one: list(Match).index(one.match), default=None)


class RecordFile:
    """Records as lines of a file only its owner may read. `find` reads all of it: for thousands, not millions."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def put(self, signed: SignedRecord) -> None:
        """Append it in one write, so that processes may share the file."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, dump_signed(signed) + b"\n")
        finally:
            os.close(descriptor)

    async def find(self, *, file_sha256: str, coded_sha256: str) -> FoundRecord | None:
        """The newest record of that file, else of that sound."""
        sound: FoundRecord | None = None
        for signed in reversed(self._records()):
            if signed.record.file_sha256 == file_sha256:
                return FoundRecord(signed=signed, match=Match.FILE)
            if sound is None and coded_sha256 and signed.record.coded_sha256 == coded_sha256:
                sound = FoundRecord(signed=signed, match=Match.SOUND)
        return sound

    def forget(self, *, before: datetime) -> int:
        """Drop records made before that; how many went. No other process may write meanwhile."""
        records = self._records()
        kept = [signed for signed in records if datetime.fromisoformat(signed.record.made_at) >= before]
        if len(kept) < len(records):
            beside = self._path.with_suffix(".new")
            beside.touch(mode=0o600)
            beside.write_bytes(b"".join(dump_signed(signed) + b"\n" for signed in kept))
            beside.replace(self._path)
        return len(records) - len(kept)

    def _records(self) -> list[SignedRecord]:
        if not self._path.exists():
            return []
        return [signed for line in self._path.read_bytes().splitlines() if (signed := load_signed(line)) is not None]


def signing_keys(configured: Sequence[str], folder: Path) -> SigningKeys:
    """The keys of PROVENANCE_KEY (base64 of 32 bytes each), else the installation's own, made on first use.

    Its file in `folder` is readable by its owner alone. Raises BadKey with the cure.
    """
    if configured:
        return SigningKeys([_seed(key, "PROVENANCE_KEY") for key in configured])
    path = folder / KEY_FILE
    try:
        if not path.exists():
            _make_key(path)
        if path.stat().st_mode & 0o077:
            raise BadKey(f"{path} may be read by others: chmod 600 it")
        return SigningKeys([_seed(path.read_text(encoding="ascii"), str(path))])
    except (OSError, UnicodeDecodeError) as error:
        raise BadKey(f"{path} cannot be used ({type(error).__name__}); set PROVENANCE_KEY or mend the file") from error


def _make_key(path: Path) -> None:
    """Write a new key under its name in one step: of two processes that start together, one makes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, base64.b64encode(secrets.token_bytes(_KEY_BYTES)) + b"\n")
        os.fsync(descriptor)
        try:
            os.link(beside, path)
        except FileExistsError:
            return
    finally:
        os.close(descriptor)
        beside.unlink()


def _seed(text: str, place: str) -> bytes:
    try:
        seed = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        seed = b""
    if len(seed) != _KEY_BYTES:
        raise BadKey(f"{place} holds no key; one is 32 random bytes in base64: `openssl rand -base64 32`")
    return seed


def _key_id(public: Ed25519PublicKey) -> str:
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]
