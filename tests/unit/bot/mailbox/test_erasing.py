"""What is remembered of an erasure until it is finished, and how the store's log is rid of what was erased."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError
from structlog.testing import capture_logs

from bot.mailbox import MEMORY
from bot.store import StorePlaces
from tests.conftest import Box
from webhooks.messages import Person

ANA = Person(phone="5511900000001", user_id="BR.1349")


async def erased(box: Box, name: str = "one", person: Person = ANA) -> str:
    """Somebody who wrote is erased; the erasure's id."""
    found = await box.mailbox.erase((await box.put(name, person=person)).person_id)
    assert found.erasure_id is not None
    return found.erasure_id


async def enlist(box: Box, folder: str, *, hours: float = 24) -> None:
    seconds, _ = await box.redis.time()
    await box.mailbox.enlist_recordings(folder, until_ms=round(seconds * 1000 + hours * 3600_000))


async def owed(box: Box, keeper: str) -> list[str]:
    return [one.id for one in await box.mailbox.erasures(keeper)]


async def everything(redis: Redis) -> bytes:
    """All the store holds, as text."""
    found = []
    for name in await redis.keys("*"):
        kind = await redis.type(name)
        reads: dict[bytes, Any] = {b"hash": redis.hgetall, b"set": redis.smembers, b"string": redis.get}
        found.append(repr((name, await reads[kind](name) if kind in reads else "")))
    return "\n".join(found).encode()


async def test_memory_is_asked_to_forget_until_it_has(box: Box) -> None:
    erasure_id = await erased(box)
    assert await owed(box, MEMORY) == [erasure_id]
    await box.mailbox.erased(erasure_id, MEMORY)
    assert await owed(box, MEMORY) == []


async def test_an_erasure_names_the_conversations_that_are_gone(box: Box) -> None:
    put = await box.put("one", person=ANA)
    elsewhere = await box.put("two", person=ANA, endpoint_id="200")
    await box.mailbox.erase(put.person_id)
    (erasure,) = await box.mailbox.erasures(MEMORY)
    assert set(erasure.conversation_ids) == {put.conversation_id, elsewhere.conversation_id}


async def test_an_erasure_is_told_once_it_is_old_enough(box: Box) -> None:
    await erased(box)
    assert await box.mailbox.erasures(MEMORY, min_age_s=60) == ()


async def test_nobody_owes_anything_for_somebody_unknown(box: Box) -> None:
    assert (await box.mailbox.erase("nobody")).erasure_id is None
    assert await owed(box, MEMORY) == []


async def test_the_address_is_not_kept_where_nothing_is_recorded(box: Box) -> None:
    await erased(box)
    assert b"5511900000001" not in await everything(box.redis)


async def test_every_folder_of_recordings_is_asked_and_given_the_address(box: Box) -> None:
    for folder in ("here", "there"):
        await enlist(box, folder)
    await erased(box)
    for folder in ("here", "there"):
        (erasure,) = await box.mailbox.erasures(folder)
        assert set(erasure.marks) == {"5511900000001", "BR.1349"}


async def test_the_address_is_gone_when_the_last_has_confirmed_and_not_before(box: Box) -> None:
    for folder in ("here", "there"):
        await enlist(box, folder)
    erasure_id = await erased(box)
    for keeper in ("here", MEMORY, "here"):
        await box.mailbox.erased(erasure_id, keeper)
    assert await owed(box, "there") == [erasure_id]
    await box.mailbox.erased(erasure_id, "there")
    assert b"5511900000001" not in await everything(box.redis)


async def test_a_folder_that_holds_nothing_any_more_is_not_waited_for(box: Box) -> None:
    await enlist(box, "gone")
    erasure_id = await erased(box)
    await box.mailbox.erased(erasure_id, MEMORY)
    await enlist(box, "gone", hours=-1)
    assert await owed(box, "gone") == []
    assert b"5511900000001" not in await everything(box.redis)


async def test_a_folder_enlisted_later_has_nothing_of_who_was_erased_before(box: Box) -> None:
    await erased(box)
    await enlist(box, "new")
    assert await owed(box, "new") == []


async def test_an_erasure_does_not_stay_for_ever_where_nobody_comes_to_confirm(box: Box) -> None:
    await enlist(box, "lost", hours=24 * 100)
    erasure_id = await erased(box)
    left_ms = await box.redis.pttl(f"{{recado:0}}:erasure:{erasure_id}")
    assert 99 * 24 * 3600_000 < left_ms <= 100 * 24 * 3600_000


# -- the log --------------------------------------------------------------------------------------------------------


def logged(places: StorePlaces) -> bytes:
    """All the store's log holds."""
    return b"".join(path.read_bytes() for path in Path(places.folder).rglob("*.aof"))


async def test_the_log_is_rid_of_an_erased_person(box: Box, store_places_for_tests: StorePlaces) -> None:
    person = Person(phone="5521987123456")
    erasure_id = await erased(box, "something said", person)
    await box.mailbox.erased(erasure_id, MEMORY)
    assert b"5521987123456" in logged(store_places_for_tests)
    assert await rewritten(box)
    assert b"5521987123456" not in logged(store_places_for_tests)


async def rewritten(box: Box) -> bool:
    """Whether the log is rid of all; waits for a rewrite of another test's."""
    async with asyncio.timeout(20):
        while not await box.mailbox.rewrite_log():  # noqa: ASYNC110 - it happens in the store
            await asyncio.sleep(0.01)
    return True


class Refusing:
    """Answers to BGREWRITEAOF and INFO in place of the store's, and how often a rewrite was asked for."""

    def __init__(self, box: Box, monkeypatch: pytest.MonkeyPatch, *answers: Exception | None) -> None:
        self.asked = 0
        self._answers = list(answers)
        self.states = [{}]
        monkeypatch.setattr(box.redis, "bgrewriteaof", self._bgrewriteaof)
        monkeypatch.setattr(box.redis, "info", self._info)

    async def _bgrewriteaof(self) -> bool:
        self.asked += 1
        answer = self._answers.pop(0) if self._answers else None
        if answer is not None:
            raise answer
        return True

    async def _info(self, *_sections: str) -> dict[str, Any]:
        ready = {"aof_rewrite_in_progress": 0, "aof_rewrite_scheduled": 0, "aof_last_bgrewrite_status": "ok"}
        now = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"aof_enabled": 1, "run_id": "a", **ready, **now}


async def no_wait(_seconds: float) -> None:
    return


async def test_the_log_is_left_alone_while_nothing_is_erased(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Refusing(box, monkeypatch)
    assert (await box.mailbox.rewrite_log(), store.asked) == (True, 0)


async def test_a_rewrite_that_is_refused_stays_owed(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Refusing(box, monkeypatch, ResponseError("Background append only file rewriting already in progress"))
    await erased(box)
    assert [await box.mailbox.rewrite_log() for _ in range(3)] == [False, True, True]
    assert store.asked == 2


@pytest.mark.parametrize("after", [{"aof_last_bgrewrite_status": "err"}, {"run_id": "b"}])
async def test_a_rewrite_that_fails_or_ends_with_its_store_stays_owed(
    box: Box, monkeypatch: pytest.MonkeyPatch, after: dict[str, str]
) -> None:
    store = Refusing(box, monkeypatch)
    store.states = [{}, {"aof_rewrite_in_progress": 1}, after, {}]
    await erased(box)
    assert [await box.mailbox.rewrite_log(sleep=no_wait) for _ in range(2)] == [False, True]


async def test_what_is_erased_during_a_rewrite_is_owed_another(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Refusing(box, monkeypatch)
    store.states = [{}, {"aof_rewrite_in_progress": 1}, {}]
    await erased(box)

    async def meanwhile(_seconds: float) -> None:
        await erased(box, "two")

    await box.mailbox.rewrite_log(sleep=meanwhile)
    await box.mailbox.rewrite_log()
    assert store.asked == 2


@pytest.mark.parametrize("answer", [NoPermissionError("no"), ResponseError("unknown command 'BGREWRITEAOF'")])
async def test_a_store_that_keeps_its_log_to_itself_is_asked_once_and_told_of(
    box: Box, monkeypatch: pytest.MonkeyPatch, answer: Exception
) -> None:
    store = Refusing(box, monkeypatch, answer)
    await erased(box)
    with capture_logs() as logs:
        assert [await box.mailbox.rewrite_log() for _ in range(2)] == [True, True]
    assert (store.asked, [line["log_level"] for line in logs]) == (1, ["warning"])


async def test_a_store_without_a_log_has_none_to_rewrite(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Refusing(box, monkeypatch)
    store.states = [{"aof_enabled": 0}]
    await erased(box)
    assert (await box.mailbox.rewrite_log(), store.asked) == (True, 0)
