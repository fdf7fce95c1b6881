from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from bot.persona import Persona, shipped_personas
from bot.persona_store import Personas

NINA, THEO = shipped_personas()


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def personas(store: Redis, clock: Callable[[], float]) -> Personas:
    return Personas(store, clock=clock)


async def test_an_empty_store_is_seeded_once(personas: Personas) -> None:
    assert [await personas.seed_if_empty(), await personas.seed_if_empty()] == [True, False]
    assert [persona.id for persona in await personas.list()] == ["nina", "theo"]


async def test_two_processes_that_seed_at_once_make_no_second_version(store: Redis) -> None:
    await asyncio.gather(*(Personas(store).seed_if_empty() for _ in range(5)))
    assert {persona.version for persona in await Personas(store).list()} == {1}


async def test_what_was_put_is_got(personas: Personas) -> None:
    stored = await personas.put(THEO)
    assert await personas.get("theo") == stored == THEO
    assert await personas.get("nobody") is None


async def test_putting_the_same_again_makes_no_version(personas: Personas) -> None:
    await personas.put(THEO)
    assert (await personas.put(replace(THEO, version=7))).version == 1


async def test_a_changed_greeting_grows_the_persona_but_not_its_voice(personas: Personas) -> None:
    await personas.put(THEO)
    stored = await personas.put(replace(THEO, greeting="Ahoy!"))
    assert (stored.version, stored.voice.version) == (2, 1)


async def test_a_changed_voice_gets_a_version_of_its_own(personas: Personas) -> None:
    await personas.put(THEO)
    await personas.put(replace(THEO, greeting="Ahoy!"))
    stored = await personas.put(replace(THEO, greeting="Ahoy!", voice=replace(THEO.voice, speed=1.1)))
    assert (stored.version, stored.voice.version) == (3, 3)


async def test_version_numbers_do_not_come_back_after_deletion(personas: Personas) -> None:
    await personas.put(THEO)
    await personas.put(replace(THEO, greeting="Ahoy!"))
    assert await personas.delete("theo") is True
    again = await personas.put(THEO)
    assert (again.version, again.voice.version) == (3, 3)


async def test_going_back_to_an_old_version_is_a_new_one(personas: Personas) -> None:
    await personas.put(THEO)
    await personas.put(replace(THEO, greeting="Ahoy!"))
    newest, oldest = await personas.past("theo")
    back = await personas.put(oldest)
    assert (newest.greeting, back.greeting, back.version) == ("Ahoy!", THEO.greeting, 3)


async def test_simultaneous_changes_all_get_different_versions(store: Redis) -> None:
    changes = [replace(THEO, greeting=f"Hello {index}") for index in range(6)]
    stored = await asyncio.gather(*(Personas(store).put(change) for change in changes))
    assert sorted(persona.version for persona in stored) == [1, 2, 3, 4, 5, 6]


async def test_deleting_an_unknown_persona_says_so(personas: Personas) -> None:
    assert await personas.delete("nobody") is False


@pytest.mark.parametrize(("waited_s", "seen"), [(0.5, None), (1.0, THEO)])
async def test_changes_of_another_process_show_after_a_second(
    store: Redis, personas: Personas, clock: Clock, waited_s: float, seen: Persona | None
) -> None:
    assert await personas.list() == ()
    await Personas(store).put(THEO)
    clock.now_s = waited_s
    assert await personas.get("theo") == seen


async def test_the_persona_that_names_a_number_answers_there(personas: Personas) -> None:
    await personas.put(NINA)
    await personas.put(replace(THEO, endpoints=("1555",)))
    assert [(await personas.default_for(one)).id for one in ("1555", "1666")] == ["theo", "nina"]  # type: ignore[union-attr]


async def test_without_any_claim_the_first_persona_answers(personas: Personas) -> None:
    assert await personas.default_for("1555") is None
    await personas.put(THEO)
    assert await personas.default_for("1555") == THEO


async def test_a_document_this_program_cannot_read_hides_no_other(store: Redis, personas: Personas) -> None:
    await store.hset("{recado}:personas", "broken", "id: [")
    await personas.put(THEO)
    assert await personas.list() == (THEO,)


async def test_a_numbers_languages_are_those_of_its_default_persona_and_of_whoever_else_may_be_chosen(
    personas: Personas,
) -> None:
    await personas.put(NINA)
    await personas.put(replace(THEO, endpoints=("1555",)))
    assert await personas.languages_on("1555") == ("en", "pt-BR")
    assert await personas.languages_on("1666") == ("pt-BR", "en")
