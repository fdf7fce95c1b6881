from __future__ import annotations

import pytest

from bot.conversation import Line
from bot.persona import Persona, parse_persona, shipped_personas
from bot.replies.contract import ReplyRequest
from bot.replies.script import ScriptReplies

NINA, THEO = shipped_personas()
NOON_UTC_MS = 1_795_262_400_000  # Saturday 21 November 2026, 12:00 UTC: 9 h in São Paulo

SCRIPT = parse_persona("""
id: ana
name: Ana
language: en
system_prompt: You are Ana.
greeting: Hi!
disclosure: I am an AI.
voice: {}
fallbacks: [No idea., Say again.]
intents:
  - {name: joke, examples: [tell me a joke], replies: [Joke one., Joke two., Joke three.]}
  - {name: sad, offers: joke, examples: [I am sad], replies: [Want a joke to feel better]}
  - {name: laugh, offers: more, examples: [haha], replies: [Glad. More]}
  - {name: riddle, examples: [ask a riddle], replies: [What has keys], follow_ups: [A piano.]}
  - {name: hello, role: courtesy, examples: [hello], replies: ["Hello, {name}.", Hello. How are you.]}
  - {name: danger, role: urgent, examples: [I want to die], replies: [Call somebody now.]}
  - {name: agree, role: "yes", examples: ["yes"], replies: [Good.]}
  - {name: more, role: again, examples: [another one], replies: [Another what]}
""")


class Talk:
    """A conversation with a persona's script, twenty seconds a turn."""

    def __init__(self, persona: Persona, *, person_name: str | None = None, max_chars: int = 600) -> None:
        self.persona, self.person_name, self.max_chars = persona, person_name, max_chars
        self.script = ScriptReplies()
        self.history: list[Line] = []
        self.now_ms = NOON_UTC_MS

    async def says(self, text: str) -> str:
        reply = await self.script.reply(
            ReplyRequest(
                persona=self.persona,
                language=self.persona.language,
                text=text,
                max_chars=self.max_chars,
                now_ms=self.now_ms,
                history=tuple(self.history),
                person_name=self.person_name,
            )
        )
        self.history += [
            Line(role="person", text=text, at_ms=self.now_ms),
            Line(role="persona", text=reply.text, at_ms=self.now_ms),
        ]
        self.now_ms += 20_000
        return reply.text


async def test_the_same_request_gets_the_same_reply() -> None:
    assert await Talk(NINA).says("me conta uma piada") == await Talk(NINA).says("me conta uma piada")


async def test_no_reply_comes_twice_before_all_were_said() -> None:
    talk = Talk(SCRIPT)
    said = [await talk.says("tell me a joke") for _ in range(3)]
    assert sorted(said) == ["Joke one.", "Joke three.", "Joke two."]


async def test_when_all_were_said_the_oldest_comes_back() -> None:
    talk = Talk(SCRIPT)
    said = [await talk.says("tell me a joke") for _ in range(4)]
    assert said[3] == said[0]


async def test_another_one_is_more_of_the_same() -> None:
    talk = Talk(SCRIPT)
    first = await talk.says("tell me a joke")
    second = await talk.says("another one")
    assert second.startswith("Joke")
    assert second != first


async def test_another_one_after_a_laugh_is_more_of_what_was_laughed_about() -> None:
    talk = Talk(SCRIPT)
    await talk.says("tell me a joke")
    await talk.says("haha")
    assert (await talk.says("another one")).startswith("Joke")


async def test_a_yes_after_a_laugh_is_another_one() -> None:
    talk = Talk(SCRIPT)
    await talk.says("tell me a joke")
    await talk.says("haha")
    assert (await talk.says("yes")).startswith("Joke")


async def test_another_one_out_of_nowhere_asks_what_is_meant() -> None:
    assert await Talk(SCRIPT).says("another one") == "Another what"


async def test_a_yes_accepts_what_was_offered() -> None:
    talk = Talk(SCRIPT)
    await talk.says("I am sad")
    assert (await talk.says("yes")).startswith("Joke")


async def test_a_yes_without_an_offer_is_just_a_yes() -> None:
    assert await Talk(SCRIPT).says("yes") == "Good."


@pytest.mark.parametrize("guess", ["a door?", "yes", "no idea", "the third planet from the sun"])
async def test_whatever_is_guessed_the_riddle_is_solved(guess: str) -> None:
    talk = Talk(SCRIPT)
    await talk.says("ask a riddle")
    assert await talk.says(guess) == "A piano."


async def test_a_clear_new_wish_leaves_the_riddle_open() -> None:
    talk = Talk(SCRIPT)
    await talk.says("ask a riddle")
    assert (await talk.says("tell me a joke")).startswith("Joke")


async def test_an_emergency_comes_before_an_open_riddle_and_other_topics() -> None:
    talk = Talk(SCRIPT)
    await talk.says("ask a riddle")
    assert await talk.says("hello. tell me a joke. I want to die") == "Call somebody now."


async def test_a_burst_about_two_things_is_answered_to_both() -> None:
    answer = await Talk(SCRIPT).says("hello!\ntell me a joke")
    assert answer.startswith("Hello. Joke")


async def test_unknown_talk_gets_a_fallback_and_never_the_same_twice_in_a_row() -> None:
    talk = Talk(SCRIPT)
    assert {await talk.says("qwerty zxcvb"), await talk.says("qwerty zxcvb")} == {"No idea.", "Say again."}


async def test_a_person_without_a_known_name_is_not_called_anything() -> None:
    talk = Talk(SCRIPT)
    assert {await talk.says("hello") for _ in range(3)} == {"Hello. How are you."}


async def test_a_person_with_a_name_is_called_by_the_first_one() -> None:
    talk = Talk(SCRIPT, person_name="🌸 MARIA clara")
    assert "Hello, Maria." in {await talk.says("hello") for _ in range(2)}


@pytest.mark.parametrize(
    ("persona", "text", "expected"),
    [
        (NINA, "que horas são?", "9h"),
        (NINA, "que dia é hoje?", "21 de novembro de 2026"),
        (NINA, "que dia é hoje?", "sábado"),
        (THEO, "what time is it?", "12:00 PM"),
        (THEO, "what's the date today?", "November 21, 2026"),
    ],
)
async def test_the_clock_is_told_in_the_personas_words_and_zone(persona: Persona, text: str, expected: str) -> None:
    assert expected in await Talk(persona).says(text)


async def test_a_long_reply_is_cut_at_a_sentence() -> None:
    answer = await Talk(NINA, max_chars=120).says("me conta uma história")
    assert len(answer) <= 120
    assert answer[-1] in ".!?"


@pytest.mark.parametrize(
    ("persona", "opening", "offered"),
    [(NINA, "estou muito triste", "joke"), (NINA, "que tédio", "riddle"), (THEO, "I'm so bored", "riddle")],
)
async def test_the_shipped_offers_lead_where_they_say(persona: Persona, opening: str, offered: str) -> None:
    talk = Talk(persona)
    await talk.says(opening)
    replies = next(intent.replies for intent in persona.intents if intent.name == offered)
    assert await talk.says("sim, quero" if persona is NINA else "yes please") in replies


@pytest.mark.parametrize("persona", [NINA, THEO], ids=lambda persona: persona.id)
async def test_every_open_riddle_of_the_shipped_personas_gets_its_own_answer(persona: Persona) -> None:
    riddle = next(intent for intent in persona.intents if intent.name == "riddle")
    for asked, answer in zip(riddle.replies, riddle.follow_ups, strict=True):
        talk = Talk(persona)
        talk.history = [Line(role="persona", text=asked, at_ms=0)]
        assert await talk.says("hm") == answer


async def test_an_edited_persona_answers_with_its_new_script() -> None:
    talk = Talk(SCRIPT)
    await talk.says("hello")
    talk.persona = parse_persona("""
id: ana
name: Ana
language: en
system_prompt: You are Ana.
greeting: Hi!
disclosure: I am an AI.
voice: {}
fallbacks: [Something new.]
""")
    assert await talk.says("hello") == "Something new."
