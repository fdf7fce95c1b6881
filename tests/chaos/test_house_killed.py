"""The house under kill -9 and SIGTERM while people chat: nobody is left out, order holds, nothing is said twice.

`CHAOS_SEED` sets what is killed when; a failure names the seed it ran with.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.installation import opened_installation
from bot.mailbox import TurnStatus, TurnSummary
from bot.settings import Settings
from tests.chaos.house import House

pytestmark = pytest.mark.chaos

SEED = int(os.environ.get("CHAOS_SEED", "1"))
PEOPLE = 12
SENTENCES = (
    "oi, tudo bem com você?",
    "me conta uma piada",
    "qual é a sua comida favorita?",
    "o que você fez no fim de semana?",
    "você gosta de música antiga?",
    "me fala um pouco de você",
    "onde você mora?",
    "obrigado pela conversa",
)
VICTIMS = ("worker",) * 4 + ("web",) * 3 + ("store",) * 3
WORKERS = ("worker",) * 5 + ("worker-2",) * 5
CALLBACK_DATA = "callback_data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """One person's side of it: what they wrote, in order, and everything that came back, in order."""

    person: str
    written: tuple[str, ...]
    answers: tuple[Mapping[str, Any], ...]


async def test_nobody_is_left_out_and_nothing_is_said_twice_when_everything_is_killed(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    victims = chance.sample(VICTIMS, len(VICTIMS))
    async with House(tmp_path) as house:
        await chat_under_attack(house, victims, chance)


async def test_several_workers_take_over_from_each_other_and_nothing_is_said_twice(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    victims = chance.sample(WORKERS, len(WORKERS))
    settings = {"LEASE_S": "3600"}  # no lease ends by itself: whoever dies is noticed
    async with House(tmp_path, settings, workers=2) as house:
        await chat_under_attack(house, victims, chance)


async def chat_under_attack(house: House, victims: Sequence[str], chance: random.Random) -> None:
    """Let everybody chat while the victims are killed, one after the other; nobody may have reason to complain."""
    people = [await house.add_person(f"Pessoa {number}", str(5511960000000 + number)) for number in range(PEOPLE)]
    await house.fault("slow", count=10_000, on=["send"], delay_ms=500)
    await house.fault("duplicate", count=20)
    async with asyncio.TaskGroup() as together:
        together.create_task(house.kill_at_random(victims, random.Random(chance.random())))
        talks = [together.create_task(talk(house, one, random.Random(chance.random()))) for one in people]
    await house.until_ready()
    await house.until_quiet(within_s=120)
    replayed = await replay_dead_letters(house)
    await house.until_quiet()
    turns = await all_turns(house)
    chats = [
        Chat(person=person, written=tuple(talked.result()), answers=tuple(await house.answers(person)))
        for person, talked in zip(people, talks, strict=True)
    ]
    problems = [problem for chat in chats for problem in problems_of(chat, turns, house, replayed)]
    assert not problems, (
        f"seed {SEED}, killed {victims}:\n" + "\n".join(problems) + house.tail(*house.worker_ports, "web")
    )


async def talk(house: House, person: str, chance: random.Random) -> list[str]:
    """Write every sentence, each once the one before is acknowledged: only then is there an order to keep."""
    written = []
    for sentence in chance.sample(SENTENCES, len(SENTENCES)):
        await asyncio.sleep(chance.uniform(1, 6))  # together as long as the killing takes
        message = await house.write(person, sentence)
        written.append(message["wamid"])
        await house.until_taken(person, message)
    return written


async def all_turns(house: House) -> dict[str, TurnSummary]:
    async with opened_installation(Settings.model_construct(recado_data_dir=house.folder)) as installation:
        return {turn.turn_id: turn for turn in await installation.mailbox.turns(10_000)}


async def replay_dead_letters(house: House) -> set[str]:
    """Do what an operator does. Only a turn that saw two crashes while it ran alone may have come here."""
    async with opened_installation(Settings.model_construct(recado_data_dir=house.folder)) as installation:
        letters = await installation.mailbox.dead_letters()
        for letter in letters:
            assert (letter.reason, letter.crashes) == ("CRASHED", 2), f"seed {SEED}: {letter}"
        await installation.mailbox.replay_all()
        return {letter.turn_id for letter in letters}


def problems_of(chat: Chat, turns: Mapping[str, TurnSummary], house: House, replayed: set[str]) -> list[str]:
    """What this person could complain about; nothing, if the house keeps its word."""
    ours = sorted({turn_of(answer) for answer in chat.answers}, key=number_of)
    if not ours:
        return [f"{chat.person} was never answered"]
    conversation = turns[ours[0]].conversation_id
    expected = sorted((one for one in turns if turns[one].conversation_id == conversation), key=number_of)
    problems = [f"{one} is not answered: {turns[one]}" for one in expected if turns[one].status is not TurnStatus.DONE]
    if ours != expected:
        problems.append(f"{chat.person} has turns {expected} and answers to {ours}")
    problems += unquoted(chat, [turns[one] for one in expected])
    order = [number_of(turn_of(answer)) for answer in chat.answers if turn_of(answer) not in replayed]
    if order != sorted(order):
        problems.append(f"{chat.person} was answered out of order: {order}")
    return problems + said_twice(chat, house)


def unquoted(chat: Chat, turns: Sequence[TurnSummary]) -> list[str]:
    """Each turn's answer quotes the last message of its burst, and the bursts together are all that was written."""
    quotes = {turn_of(answer): answer["context_id"] for answer in chat.answers if answer["context_id"]}
    problems, messages = [], 0
    for turn in turns:
        messages += turn.message_count
        quoted = quotes.get(turn.turn_id)
        if messages > len(chat.written) or quoted != chat.written[messages - 1]:
            place = chat.written.index(quoted) + 1 if quoted in chat.written else None
            problems.append(f"{chat.person}: {turn.turn_id} ends with message {messages} and quotes {place}")
    if messages != len(chat.written):
        problems.append(f"{chat.person} wrote {len(chat.written)} messages, the turns have {messages}")
    return problems


def said_twice(chat: Chat, house: House) -> list[str]:
    """Parts that arrived twice, unless no receipt for the first was acknowledged before the second was sent."""
    arrivals: dict[str, list[Mapping[str, Any]]] = {}
    for answer in chat.answers:
        arrivals.setdefault(answer[CALLBACK_DATA].rpartition(":")[0], []).append(answer)
    problems = []
    for part, (first, *others) in arrivals.items():
        for other in others:
            known_at_s = house.relay.acknowledged_at_s.get(first[CALLBACK_DATA])
            if known_at_s is not None and known_at_s < other["at_s"]:
                waited_s = other["at_s"] - first["at_s"]
                problems.append(f"{chat.person}: {part} came again after {waited_s:.1f} s, its receipt was there")
    return problems


def turn_of(answer: Mapping[str, Any]) -> str:
    return str(answer[CALLBACK_DATA]).partition(":")[0]


def number_of(turn_id: str) -> int:
    return int(turn_id.rpartition("-")[2])
