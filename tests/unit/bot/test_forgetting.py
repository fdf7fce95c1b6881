"""What a receiver does for erasures: what a crashed worker left undone, and recorded webhooks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs
from structlog.types import EventDict

from bot.forgetting import Forgetting
from tests.household import NUMBER, Household, Killed
from webhooks.recording import FileRecording, read_recording, recordings

ANA_SAYS, RUI_SAYS = b'{"from":"5511900000001"}', b'{"from":"5511900000002"}'


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """What was logged."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
async def friends(redis: Redis) -> AsyncIterator[Household]:
    """A household that Ana has met."""
    async with Household.opened(redis) as house:
        await house.met()
        yield house


def forgetting(house: Household, recording: FileRecording | None = None, *, after_s: float = 0) -> Forgetting:
    return Forgetting(
        house.mailbox,
        house.conversations,
        recording,
        now_ms=lambda: time.time_ns() // 1_000_000,
        after_s=after_s,
    )


async def recorded(folder: Path, *said: bytes) -> FileRecording:
    recording = FileRecording(folder)
    for body in said:
        await recording.record(received_at_ms=time.time_ns() // 1_000_000, headers={}, body=body)
    return recording


def bodies(folder: Path) -> list[bytes]:
    return [webhook.body for path in recordings(folder) for webhook in read_recording(path)]


async def ana_is_deleted(house: Household) -> None:
    await house.write("apagar meus dados")
    await house.answer()
    await house.write("sim")
    await house.answer_everything()


async def unfinished(house: Household) -> int:
    return int(await house.redis.scard("{recado:0}:erasures"))


async def test_whoever_is_deleted_in_the_chat_is_struck_from_the_recordings(friends: Household, tmp_path: Path) -> None:
    receiver = forgetting(friends, await recorded(tmp_path, ANA_SAYS, RUI_SAYS, ANA_SAYS))
    await receiver.enlist()
    await ana_is_deleted(friends)
    await receiver.go_on()
    assert (bodies(tmp_path), await unfinished(friends)) == ([RUI_SAYS], 0)


async def test_every_folder_is_struck_and_the_number_kept_until_the_last(friends: Household, tmp_path: Path) -> None:
    here = forgetting(friends, await recorded(tmp_path / "here", ANA_SAYS))
    there = forgetting(friends, await recorded(tmp_path / "there", ANA_SAYS))
    for receiver in (here, there):
        await receiver.enlist()
    await ana_is_deleted(friends)
    await here.go_on()
    assert (bodies(tmp_path / "here"), bodies(tmp_path / "there")) == ([], [ANA_SAYS])
    await there.go_on()
    assert (bodies(tmp_path / "there"), await unfinished(friends)) == ([], 0)


async def test_a_receiver_that_was_away_strikes_when_it_is_back(friends: Household, tmp_path: Path) -> None:
    await forgetting(friends, await recorded(tmp_path, ANA_SAYS)).enlist()
    await ana_is_deleted(friends)
    await forgetting(friends).go_on()  # another receiver, with nothing recorded
    await forgetting(friends, FileRecording(tmp_path)).go_on()
    assert (bodies(tmp_path), await unfinished(friends)) == ([], 0)


async def test_the_receipts_of_the_last_word_are_waited_for(friends: Household, tmp_path: Path) -> None:
    receiver = forgetting(friends, await recorded(tmp_path, ANA_SAYS), after_s=60)
    await receiver.enlist()
    await ana_is_deleted(friends)
    await receiver.go_on()
    assert (bodies(tmp_path), await unfinished(friends)) == ([ANA_SAYS], 1)


@pytest.mark.parametrize("lost", ["forget", "confirm"])
async def test_striking_is_done_again_when_it_broke_off(
    friends: Household, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    recording = await recorded(tmp_path, ANA_SAYS, RUI_SAYS)
    receiver = forgetting(friends, recording)
    await receiver.enlist()
    await ana_is_deleted(friends)
    with monkeypatch.context() as patch:
        if lost == "forget":
            patch.setattr(recording, "forget", _raise(OSError("disk")))
        else:
            patch.setattr(friends.mailbox, "erased", _raise(Killed()))
        with pytest.raises((OSError, Killed)):
            await receiver.go_on()
    assert await unfinished(friends) == 1
    await receiver.go_on()
    assert (bodies(tmp_path), await unfinished(friends)) == ([RUI_SAYS], 0)


def _raise(error: BaseException) -> Any:
    async def broken(*_arguments: object, **_named: object) -> None:
        raise error

    return broken


async def test_a_worker_that_ends_in_the_midst_of_deleting_leaves_nothing_remembered(
    friends: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = await friends.conversation()
    with monkeypatch.context() as patch:
        patch.setattr(friends.conversations, "erase", _raise(Killed()))
        with pytest.raises(Killed):
            await ana_is_deleted(friends)
    await forgetting(friends).go_on()
    after = await friends.conversations.load(conversation.id, person_id=conversation.person_id, endpoint_id=NUMBER)
    assert (after.history, after.disclosed_at_ms, await unfinished(friends)) == ((), None, 0)


async def test_a_worker_that_deletes_to_the_end_leaves_nothing_to_do(friends: Household) -> None:
    await ana_is_deleted(friends)
    assert await unfinished(friends) == 0


async def test_a_folder_that_cannot_be_used_is_told_and_stops_nobody(
    friends: Household, tmp_path: Path, logs: list[EventDict]
) -> None:
    (tmp_path / "file").touch()
    await forgetting(friends, FileRecording(tmp_path / "file" / "folder")).enlist()
    assert logs[-1]["event"] == "the folder of recorded webhooks cannot be used"


async def test_two_receivers_of_one_folder_do_not_hinder_each_other(friends: Household, tmp_path: Path) -> None:
    both = [forgetting(friends, await recorded(tmp_path, ANA_SAYS, RUI_SAYS)) for _ in range(2)]
    for receiver in both:
        await receiver.enlist()
    await ana_is_deleted(friends)
    await asyncio.gather(*(receiver.go_on() for receiver in both))
    assert (bodies(tmp_path), await unfinished(friends)) == ([RUI_SAYS, RUI_SAYS], 0)
