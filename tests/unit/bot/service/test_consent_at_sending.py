"""A finished note whose consent ends before it is sent: nobody hears it, and nobody goes unanswered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.outbox import PartKind
from bot.provenance import Notary, Records
from tests.household import Household
from tts.contract import Making, SourceKind, VoiceNote
from tts.material import MemoryMaterial
from tts.provenance import SigningKeys
from tts.voices.consent import Consent
from tts.voices.samples import StoredSample
from webhooks.contract import NotSent

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
CONSENT = Consent(speaker="Rui", by="Rui", statement="yes", given_at=LONG_AGO)


class Cloning:
    """A speaker whose notes are made of a sample."""

    def __init__(self, speaker: Any) -> None:
        self._speaker = speaker

    async def speak(self, *arguments: Any, **choices: Any) -> VoiceNote:
        note: VoiceNote = await self._speaker.speak(*arguments, **choices)
        return replace(note, making=Making(sample_count=1, sources=("sample:s1",)))

    async def close(self) -> None:
        await self._speaker.close()


class Friends:
    """A household that Ana has met, whose voice is a sample of Rui's."""

    def __init__(self, house: Household, redis: Redis) -> None:
        self.house = house
        self.material = MemoryMaterial()
        self.consent(CONSENT)
        records = Records(redis, kept_s=3600)
        house.notary = Notary(SigningKeys([bytes(32)]), records, material=self.material)
        house.speaker = Cloning(house.speaker)  # type: ignore[assignment]

    def consent(self, consent: Consent) -> None:
        self.material.samples["s1"] = StoredSample(
            id="s1", kind=SourceKind.SAMPLE, language="pt-BR", added_at=LONG_AGO, consent=consent
        )

    def withdraw(self) -> None:
        self.consent(replace(CONSENT, withdrawn_at=LONG_AGO))

    async def kinds(self) -> list[PartKind]:
        return [part.kind for part in self.house.record(await self.house.answer()).turn.parts]


@pytest.fixture
async def friends(redis: Redis) -> AsyncIterator[Friends]:
    async with Household.opened(redis) as house:
        await house.met()
        yield Friends(house, redis)


@pytest.mark.parametrize("held_up", ["upload_voice", "send_voice"])
async def test_a_note_that_waits_while_its_consent_is_withdrawn_becomes_text(friends: Friends, held_up: str) -> None:
    friends.house.channel.fail(held_up, NotSent("no connection"))
    await friends.house.write("bom dia")
    assert await friends.kinds() == [PartKind.VOICE]
    friends.withdraw()

    await friends.house.later(15)

    assert await friends.kinds() == [PartKind.TEXT]
    assert friends.house.channel.sent[-1].media_id is None


async def test_a_note_whose_consent_stands_is_sent_as_it_is(friends: Friends) -> None:
    await friends.house.write("bom dia")

    assert await friends.kinds() == [PartKind.VOICE]


async def test_a_note_is_not_repeated_after_its_consent_was_withdrawn(friends: Friends) -> None:
    await friends.house.write("bom dia")
    await friends.kinds()
    friends.withdraw()

    await friends.house.write("repetir")

    assert await friends.kinds() == [PartKind.TEXT]
