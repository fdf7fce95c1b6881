"""What an admin does to recordings whatever voice they are in: find, take, withdraw, erase. Must not know terminals.

Refusals are `tts` errors whose words an admin can act on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from bot.sample_store import Samples
from bot.voice_uses import Use, Uses
from tts.blobs import is_blob_id
from tts.contract import SourceKind
from tts.errors import BadVoice
from tts.material import sample_refusal
from tts.voices.consent import Consent, consent_refusal
from tts.voices.samples import StoredSample

LEAST_PREFIX = 6


class Recordings:
    """The recordings of an installation, with the rules of who may lose them."""

    def __init__(
        self, samples: Samples, uses: Uses, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.samples = samples
        self.uses = uses
        self.now = now

    async def one(self, name: str, among: Sequence[str] | None = None) -> StoredSample:
        """The one recording whose id begins with `name`, in the store or `among` some ids.

        Raises BadVoice, and BlobLocked for a whole id whose record no key at hand opens.
        """
        if is_blob_id(name) and (among is None or name in among):
            whole = await self.samples.find(name)
            if whole is not None:
                return whole
        known = [sample for sample in await self.samples.list() if among is None or sample.id in among]
        fitting = [sample for sample in known if sample.id.startswith(name.lower()) and len(name) >= LEAST_PREFIX]
        if len(fitting) != 1:
            ids = ", ".join(sample.id[:12] for sample in known) or "none"
            what = "more than one sample" if fitting else "no sample"
            raise BadVoice(f"There is {what} {name!r} (at least {LEAST_PREFIX} characters of its id). Known: {ids}.")
        return fitting[0]

    async def check_usable(self, sample_id: str) -> None:
        """Raise BadVoice for a recording that is gone, or may not be used now."""
        sample = await self.samples.find(sample_id)
        if sample is None:
            raise BadVoice(f"The recording {sample_id[:12]} was erased; `recado voice samples add` brings it back.")
        refusal = sample_refusal(sample, self.now())
        if refusal:
            raise BadVoice(f"The recording {sample_id[:12]} may not be used: {refusal}.")

    async def withdraw(self, name: str) -> tuple[StoredSample, tuple[Use, ...]]:
        """End the consent to a recording; tells whom that silences. What engines made of their voices is forgotten."""
        sample = await self.one(name)
        withdrawn = await self.samples.withdraw(sample.id, self.now())
        if withdrawn is None:
            raise BadVoice(
                f"Sample {sample.id[:12]} is nobody's: there is no consent to withdraw. "
                f"`recado voice samples erase {sample.id[:12]}` erases it."
            )
        uses = await self.uses.of(sample.id)
        await self.uses.forget_profiles(uses)
        return withdrawn, uses

    async def erase(self, name: str) -> str:
        """Erase a recording that no mix names, or whose consent was withdrawn (that record stays); its id.

        A voice that is a prompt alone gets another clip then. A whole id is taken even where its record is unreadable.
        """
        sample_id = await self._id(name)
        sample = await self.samples.find(sample_id)
        uses = await self.uses.of(sample_id)
        users = ", ".join(use.name for use in uses if not use.by_prompt)
        if users and not (sample is not None and withdrawn_at(sample)):
            raise BadVoice(
                f"The recording {sample_id[:12]} is used by {users}. Take it out of their mixes first "
                "(`recado voice samples remove VOICE SAMPLE`; the mix of a persona stands in its file), or withdraw "
                "the consent to it."
            )
        await self.samples.erase(sample_id)
        await self.uses.forget_profiles(uses)
        return sample_id

    async def users(self, name: str) -> tuple[Use, ...]:
        """Who uses a recording."""
        return await self.uses.of(await self._id(name))

    async def erase_unused(self, refs: Iterable[str]) -> int:
        """Erase those of these recordings that nobody uses; how many."""
        unused = [ref for ref in sorted(set(refs)) if not await self.uses.of(ref)]
        return sum([await self.samples.erase(ref) for ref in unused])

    async def _id(self, name: str) -> str:
        return name if is_blob_id(name) else (await self.one(name)).id


def record_to_keep(
    here: StoredSample | None, fresh: StoredSample, *, now: datetime, replace_consent: bool
) -> StoredSample:
    """The record of a recording that somebody adds and that is perhaps `here` already: other voices rest on that one.

    Raises BadVoice where what is here forbids it.
    """
    if here is None:
        return fresh
    known = f"This recording is known as {here.id[:12]}"
    if here.kind is not SourceKind.SAMPLE:
        raise BadVoice(
            f"{known}, a clip that was designed and is nobody's voice. If it is somebody's after all, erase it first: "
            f"`recado voice samples erase {here.id[:12]}`."
        )
    withdrawn = withdrawn_at(here)
    if withdrawn:
        raise BadVoice(
            f"{known}, and the consent to it was withdrawn on {withdrawn:%Y-%m-%d}: it is not taken again. Somebody "
            "who agrees anew gives a new recording. Nothing was stored."
        )
    refusal = consent_refusal(here.consent, now)
    if refusal and not replace_consent:
        raise BadVoice(
            f"{known}, and {refusal}. To put the new consent in the place of that one, for every voice that uses the "
            "recording, add it with --replace-consent. Nothing was stored."
        )
    return fresh if replace_consent else here


def withdrawn_at(sample: StoredSample) -> datetime | None:
    """When the consent to a recording was withdrawn; None where it was not."""
    return sample.consent.withdrawn_at if sample.consent else None


def consent_words(sample: StoredSample, now: datetime) -> str:
    """How the consent to a recording stands, for people."""
    if sample.kind is SourceKind.DESIGNED:
        return "not needed"
    return sample_refusal(sample, now).removeprefix("the consent ") or "given"


def same_consent(one: Consent | None, other: Consent | None) -> bool:
    """Whether two consents say the same, whenever they were given."""
    if one is None or other is None:
        return one is other
    return (one.speaker, one.by, one.statement, one.expires_at) == (
        other.speaker, other.by, other.statement, other.expires_at,
    )  # fmt: skip
