"""How versioned documents stay true while others write them and the store comes and goes."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis

from bot.documents import Documents, Kind


@dataclass(frozen=True, slots=True)
class Note:
    name: str
    words: str
    version: int = 1


class Reader:
    """Writes down what it parsed and on which thread."""

    def __init__(self) -> None:
        self.parsed: list[str] = []
        self.threads: set[int] = set()

    def load(self, name: str, text: bytes) -> Note:
        self.parsed.append(name)
        self.threads.add(threading.get_ident())
        words, version = text.decode().rsplit("|", 1)
        return Note(name, words, int(version))


def documents(redis: Redis, reader: Reader, *, fresh_s: float = 0.0) -> Documents[Note]:
    kind: Kind[Note] = Kind(
        name="notes",
        dump=lambda note: f"{note.words}|{note.version}",
        load=reader.load,
        id_of=lambda note: note.name,
        version_of=lambda note: note.version,
        renumbered=lambda note, _stored, known: Note(note.name, note.words, max(known, note.version - 1) + 1),
    )
    return Documents(redis, kind, fresh_s=fresh_s)


@pytest.fixture
def reader() -> Reader:
    return Reader()


async def words(of: Documents[Note]) -> dict[str, str]:
    return {name: note.words for name, note in (await of.all()).items()}


async def test_only_what_changed_is_parsed_and_not_on_the_loop(redis: Redis, reader: Reader) -> None:
    stored, other = documents(redis, reader), documents(redis, Reader())
    for name in ("a", "b", "c"):
        await other.put(Note(name, "old"))
    await stored.all()
    reader.parsed.clear()

    await other.put(Note("b", "new"))

    assert await words(stored) == {"a": "old", "b": "new", "c": "old"}
    assert reader.parsed == ["b"]
    assert threading.get_ident() not in reader.threads


async def test_a_read_after_an_own_write_sees_it_though_another_read_was_under_way(
    redis: Redis, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = documents(redis, reader, fresh_s=3600.0)
    await stored.put(Note("a", "old"))
    reading, go_on = asyncio.Event(), asyncio.Event()
    hgetall = redis.hgetall

    async def slow(name: str) -> dict[bytes, bytes]:
        found = await hgetall(name)
        reading.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(redis, "hgetall", slow)
    early = asyncio.create_task(words(stored))
    await reading.wait()
    await stored.put(Note("a", "new"))
    go_on.set()

    assert await early == {"a": "old"}
    assert await words(stored) == {"a": "new"}


async def test_what_was_known_stands_in_a_store_that_lost_everything(redis: Redis, reader: Reader) -> None:
    stored = documents(redis, reader)
    await stored.put(Note("a", "mine", 7))
    await stored.all()
    await redis.flushall()

    assert await words(stored) == {"a": "mine"}


async def test_what_was_known_is_put_back_with_its_number_and_others_see_it(redis: Redis, reader: Reader) -> None:
    stored, other = documents(redis, reader), documents(redis, Reader())
    await stored.put(Note("a", "mine", 7))
    await stored.all()
    await redis.flushall()

    assert await stored.put_back() == 1
    assert await other.all() == {"a": Note("a", "mine", 7)}


async def test_putting_back_replaces_nothing_that_is_there(redis: Redis, reader: Reader) -> None:
    stored, other = documents(redis, reader), documents(redis, Reader())
    await stored.put(Note("a", "mine"))
    await stored.all()
    await redis.flushall()
    await other.put(Note("a", "theirs"))

    await stored.put_back()

    assert await words(other) == {"a": "theirs"}


async def test_the_last_document_that_is_deleted_on_purpose_stays_deleted(redis: Redis, reader: Reader) -> None:
    stored, other = documents(redis, reader), documents(redis, Reader())
    await stored.put(Note("a", "mine"))
    await stored.all()

    await other.delete("a")

    assert await words(stored) == {}
