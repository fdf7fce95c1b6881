"""Keeps a signed record of every note that leaves: who made it of what, with whose consent. Knows no channel.

RecordNotKept           the store did not take the record, so the note must not leave
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import cast

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.settings import Settings
from tts.contract import SourceKind, VoiceNote, VoiceSource
from tts.errors import TtsError
from tts.material import RECORDED, Material, MemoryMaterial, material_refusal
from tts.provenance import (
    FoundRecord,
    Match,
    ProvenanceStore,
    RecordFile,
    SignedRecord,
    SigningKeys,
    dump_signed,
    load_signed,
    record_of,
    signing_keys,
)
from tts.voices.consent import Consent

FILE_NAME = "provenance.jsonl"


class RecordNotKept(TtsError):
    """The store did not take a note's record."""

    retryable = True


class Records:
    """Signed records in Redis, for `kept_s` seconds each. The `tts.provenance.ProvenanceStore` of an installation.

    A record is found by the hash of its file and by the hash of its sound; both lead to the newest one.
    """

    def __init__(self, redis: Redis, *, kept_s: float, prefix: str = "{recado}") -> None:
        self._redis = redis
        self._kept_s = round(kept_s)
        self._prefix = f"{prefix}:provenance:"

    async def put(self, signed: SignedRecord) -> None:
        """Keep it. Raises RecordNotKept."""
        record = signed.record
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.set(f"{self._prefix}record:{record.id}", dump_signed(signed), ex=self._kept_s)
                pipe.set(f"{self._prefix}file:{record.file_sha256}", record.id, ex=self._kept_s)
                pipe.set(f"{self._prefix}sound:{record.coded_sha256}", record.id, ex=self._kept_s)
                await pipe.execute()
        except RedisError as error:
            raise RecordNotKept(f"the record of a note was not kept ({type(error).__name__})") from error

    async def find(self, *, file_sha256: str, coded_sha256: str) -> FoundRecord | None:
        """The newest record of that file, else of that sound. Raises RedisError."""
        for name, match in ((f"file:{file_sha256}", Match.FILE), (f"sound:{coded_sha256}", Match.SOUND)):
            found = await self._get(name)
            stored = await self._get(f"record:{found.decode()}") if found else None
            signed = load_signed(stored) if stored else None
            if signed is not None:
                return FoundRecord(signed=signed, match=match)
        return None

    async def _get(self, name: str) -> bytes | None:
        return cast("bytes | None", await self._redis.get(self._prefix + name))


class Notary:
    """Makes, signs and keeps the record of a note."""

    def __init__(
        self,
        keys: SigningKeys,
        store: ProvenanceStore,
        *,
        material: Material,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._keys = keys
        self._store = store
        self._material = material
        self._now = now

    async def certify(self, note: VoiceNote, *, turn_id: str) -> SignedRecord:
        """The record of a note that is about to leave, kept. Raises what the store raises."""
        consents = await self._consents(note)
        record = await asyncio.to_thread(
            record_of, note, sources=note.making.sources, consents=consents, turn_id=turn_id, now=self._now()
        )
        signed = self._keys.sign(record)
        await self._store.put(signed)
        return signed

    async def barred(self, file_sha256: str) -> str:
        """Why a note made earlier may not be heard any more: a consent behind it ended since. Empty when it may.

        A note without a record is older than records are kept. Raises what the store raises.
        """
        found = await self._store.find(file_sha256=file_sha256, coded_sha256="")
        made_of = [source.partition(":") for source in found.signed.record.sources] if found else []
        recorded = [VoiceSource(kind=SourceKind(kind), ref=ref) for kind, _, ref in made_of if kind in RECORDED]
        return await material_refusal(self._material, recorded, self._now(), clips_may_be_gone=True)

    async def _consents(self, note: VoiceNote) -> list[str]:
        found = []
        for source in note.making.sources:
            kind, _, ref = source.partition(":")
            sample = await self._material.find(ref) if kind == SourceKind.SAMPLE else None
            if sample is not None and sample.consent is not None:
                found.append(f"{ref}:{consent_mark(sample.consent)}")
        return found


def consent_mark(consent: Consent) -> str:
    """16 hex digits that name a consent as it was given, without a word of it."""
    given = {"speaker": consent.speaker, "by": consent.by, "statement": consent.statement, "at": consent.given_at}
    return hashlib.sha256(orjson.dumps(given, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def installation_keys(settings: Settings) -> SigningKeys:
    """The keys of this installation, made on first use. Raises BadKey with the cure."""
    return signing_keys(settings.provenance_key, settings.recado_data_dir)


def build_notary(settings: Settings, redis: Redis, material: Material) -> Notary:
    """The notary of an installation with a store. Raises BadKey with the cure."""
    # A record outlives its note, which is kept from when it was sent: without one, nobody would know whose it is.
    kept_days = max(settings.provenance_days, settings.note_days + 1)
    records = Records(redis, kept_s=kept_days * 86_400)
    return Notary(installation_keys(settings), records, material=material)


def local_records(settings: Settings) -> RecordFile:
    """Records of the notes that commands made without a store."""
    return RecordFile(settings.recado_data_dir / FILE_NAME)


async def certify_here(settings: Settings, note: VoiceNote) -> None:
    """Keep the record of a note that a command made, and drop those past their time. Raises BadKey, OSError."""
    records, now = local_records(settings), datetime.now(UTC)
    notary = Notary(installation_keys(settings), records, material=MemoryMaterial())
    await notary.certify(note, turn_id="")
    records.forget(before=now - timedelta(days=settings.provenance_days))
