from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from bot.conversation import KEPT_LINES, Conversation, Conversations, Line, RecentTurn

NOW_MS = 1_800_000_000_000


@pytest.fixture
def conversations(store: Redis) -> Conversations:
    return Conversations(store, history_s=3600)


async def loaded(conversations: Conversations, conversation_id: str = "c1") -> Conversation:
    return await conversations.load(conversation_id, person_id="p1", endpoint_id="e1")


async def test_an_unknown_conversation_is_an_empty_one(conversations: Conversations) -> None:
    assert await loaded(conversations) == Conversation(id="c1", person_id="p1", endpoint_id="e1")


async def test_what_was_saved_is_loaded(conversations: Conversations) -> None:
    saved = Conversation(
        id="c1",
        person_id="p1",
        endpoint_id="e1",
        persona_id="nina",
        voice_on=False,
        disclosed_at_ms=NOW_MS,
        awaiting="confirm_delete",
        awaiting_until_ms=NOW_MS + 1000,
    )
    await conversations.save(saved)
    assert await loaded(conversations) == saved


async def test_a_choice_can_be_taken_back(conversations: Conversations) -> None:
    chosen = replace(await loaded(conversations), persona_id="nina", voice_on=True)
    await conversations.save(chosen)
    await conversations.save(replace(chosen, persona_id=None, voice_on=None))
    assert await loaded(conversations) == Conversation(id="c1", person_id="p1", endpoint_id="e1")


async def test_lines_are_remembered_in_their_order(conversations: Conversations) -> None:
    lines = [Line(role="person", text="Olá, você!", at_ms=1), Line(role="persona", text="Oi!", at_ms=2)]
    await conversations.remember("c1", lines)
    await conversations.remember("c1", [Line(role="person", text="Tudo bem?", at_ms=3)])
    history = (await loaded(conversations)).history
    assert [line.text for line in history] == ["Olá, você!", "Oi!", "Tudo bem?"]


async def test_only_the_last_lines_stay(conversations: Conversations) -> None:
    for index in range(KEPT_LINES + 5):
        await conversations.remember("c1", [Line(role="person", text=str(index), at_ms=index)])
    history = (await loaded(conversations)).history
    assert (len(history), history[0].text) == (KEPT_LINES, "5")


async def test_remembering_nothing_is_allowed(conversations: Conversations, store: Redis) -> None:
    await conversations.remember("c1", [])
    assert await store.dbsize() == 0


async def test_the_last_answer_is_what_the_persona_said_last(conversations: Conversations) -> None:
    assert (await loaded(conversations)).last_answer is None
    said = [("persona", "um"), ("persona", "dois"), ("person", "três")]
    await conversations.remember("c1", [Line(role=role, text=text, at_ms=0) for role, text in said])  # type: ignore[arg-type]
    assert (await loaded(conversations)).last_answer == "dois"


async def test_turns_are_noted_oldest_first(conversations: Conversations) -> None:
    await conversations.note_turn("c1", at_ms=1, fingerprint="a")
    await conversations.note_turn("c1", at_ms=2, fingerprint="b")
    expected = (RecentTurn(at_ms=1, fingerprint="a"), RecentTurn(at_ms=2, fingerprint="b"))
    assert (await loaded(conversations)).recent == expected


@pytest.mark.parametrize(("now_ms", "question"), [(NOW_MS, "confirm_delete"), (NOW_MS + 1000, "")])
def test_an_open_question_closes_with_its_time(now_ms: int, question: str) -> None:
    asked = Conversation(
        id="c", person_id="p", endpoint_id="e", awaiting="confirm_delete", awaiting_until_ms=NOW_MS + 1000
    )
    assert asked.open_question(now_ms) == question


async def test_every_turn_is_counted_once_however_often_it_is_tried(conversations: Conversations) -> None:
    turns = ["t1", "t2", "t2", "t1", "t3"]
    counted = [
        (await conversations.count_turn("p1", turn_id=turn, now_ms=NOW_MS + index)).in_minute
        for index, turn in enumerate(turns)
    ]
    assert counted == [1, 2, 2, 1, 3]


async def test_a_new_minute_starts_at_one_and_the_day_goes_on(conversations: Conversations) -> None:
    await conversations.count_turn("p1", turn_id="t1", now_ms=NOW_MS)
    usage = await conversations.count_turn("p1", turn_id="t2", now_ms=NOW_MS + 60_000)
    assert (usage.in_minute, usage.in_day) == (1, 2)


async def test_counting_at_once_gives_every_turn_its_own_number(conversations: Conversations) -> None:
    counts = await asyncio.gather(
        *(conversations.count_turn("p1", turn_id=f"t{index}", now_ms=NOW_MS + index) for index in range(8))
    )
    assert sorted(usage.in_day for usage in counts) == list(range(1, 9))


async def fill(conversations: Conversations, conversation_id: str) -> None:
    await conversations.save(await loaded(conversations, conversation_id))
    await conversations.remember(conversation_id, [Line(role="person", text="oi", at_ms=1)])
    await conversations.note_turn(conversation_id, at_ms=1, fingerprint="oi")


async def test_every_key_ends_by_itself(conversations: Conversations, store: Redis) -> None:
    await fill(conversations, "c1")
    await conversations.count_turn("p1", turn_id="t1", now_ms=NOW_MS)
    endless = [key for key in await store.keys() if await store.ttl(key) < 0]
    assert endless == []


async def test_all_keys_share_one_hash_tag(conversations: Conversations, store: Redis) -> None:
    await fill(conversations, "c1")
    await conversations.count_turn("p1", turn_id="t1", now_ms=NOW_MS)
    assert {key.split(b":")[0] for key in await store.keys()} == {b"{recado}"}


async def test_erasing_leaves_nothing_of_it_and_all_of_the_others(conversations: Conversations, store: Redis) -> None:
    for conversation_id in ("c1", "c2"):
        await fill(conversations, conversation_id)
    await conversations.erase(["c1"])
    left = await store.keys()
    assert left != []
    assert [key for key in left if b":c1" in key] == []


async def test_nothing_keeps_the_last_note_of_an_erased_conversation(conversations: Conversations) -> None:
    for conversation_id, note in (("c1", "blob-1"), ("c2", "blob-2")):
        await conversations.keep_note(conversation_id, note, until_ms=NOW_MS + 60_000)
    assert await conversations.erase(["c1", "unknown"]) == {"blob-1"}
    assert await conversations.kept_notes(NOW_MS) == {"blob-2"}


def test_what_was_said_does_not_show_in_a_representation() -> None:
    line = Line(role="person", text="segredo", at_ms=1)
    shown = repr(Conversation(id="c", person_id="p", endpoint_id="e", history=(line,))) + repr(line)
    assert "segredo" not in shown


async def test_the_last_note_of_a_conversation_is_kept_and_the_one_before_is_let_go(store: Redis) -> None:
    conversations = Conversations(store)
    until_ms = time.time_ns() // 1_000_000 + 60_000
    await conversations.keep_note("c1", "first", until_ms=until_ms)
    await conversations.keep_note("c1", "second", until_ms=until_ms)
    assert await conversations.kept_notes(until_ms - 1) == {"second"}
    assert (await conversations.load("c1", person_id="p", endpoint_id="e")).last_note == "second"


async def test_a_kept_note_is_let_go_when_its_time_is_over(store: Redis) -> None:
    conversations = Conversations(store)
    until_ms = time.time_ns() // 1_000_000 + 60_000
    await conversations.keep_note("c1", "first", until_ms=until_ms)
    assert await conversations.kept_notes(until_ms + 1) == frozenset()
