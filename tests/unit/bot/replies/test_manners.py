"""The shipped personas without a chat model: what a person would mind is said right, in both languages."""

from __future__ import annotations

import pytest

from bot.conversation import Line
from bot.persona import Persona, shipped_personas
from bot.replies.contract import ReplyRequest
from bot.replies.meaning import SentenceEncoder
from bot.replies.script import ScriptReplies
from bot.replies.slots import pattern_of

NINA, THEO = shipped_personas()
BOTH = {"nina": NINA, "theo": THEO}
SCRIPT = ScriptReplies(SentenceEncoder())
NOON_UTC_MS = 1_795_262_400_000  # Saturday 21 November 2026, 12:00 UTC


async def answer(persona: Persona, text: str, *before: str, now_ms: int = NOON_UTC_MS) -> str:
    """What the persona says to `text`, having said `before`."""
    reply = await SCRIPT.reply(
        ReplyRequest(
            persona=persona,
            language=persona.language,
            text=text,
            max_chars=420,
            now_ms=now_ms,
            history=tuple(Line(role="persona", text=line, at_ms=0) for line in before),
        )
    )
    return reply.text


def spoken_of(persona: Persona, text: str) -> set[str]:
    """The intents one of whose replies `text` is, or ends with; a fallback is called so."""
    intents = {intent.name for intent in persona.intents if any(pattern_of(one).match(text) for one in intent.replies)}
    return intents | ({"fallback"} if any(text.endswith(one) for one in persona.fallbacks) else set())


def replies_of(persona: Persona, name: str) -> tuple[str, ...]:
    return next(intent.replies for intent in persona.intents if intent.name == name)


@pytest.mark.parametrize(
    ("persona", "text", "told"),
    [
        ("nina", "oi! me conta uma piada", ("joke",)),
        ("nina", "me conta uma piada, valeu", ("joke",)),
        ("nina", "boa noite, me faz uma charada", ("riddle",)),
        ("nina", "me faz uma charada. obrigada!", ("riddle",)),
        ("nina", "tô triste hoje. me conta uma história", ("story",)),
        ("nina", "me conta uma piada e uma charada", ("joke", "riddle")),
        ("nina", "me faz uma charada e conta uma piada", ("joke", "riddle")),
        ("theo", "hi! tell me a joke", ("joke",)),
        ("theo", "tell me a joke, thanks", ("joke",)),
        ("theo", "good evening, give me a riddle", ("riddle",)),
        ("theo", "give me a riddle. thank you!", ("riddle",)),
        ("theo", "I'm sad today. tell me a story", ("story",)),
        ("theo", "tell me a joke and a riddle", ("joke", "riddle")),
        ("theo", "give me a riddle and tell me a joke", ("joke", "riddle")),
    ],
)
async def test_two_topics_joined_never_cut_what_is_told(persona: str, text: str, told: tuple[str, ...]) -> None:
    for moment in range(12):
        said = await answer(BOTH[persona], text, now_ms=NOON_UTC_MS + 20_000 * moment)
        for name in told:
            assert any(reply in said for reply in replies_of(BOTH[persona], name)), (name, said)


@pytest.mark.parametrize("persona", [NINA, THEO], ids=lambda persona: persona.id)
async def test_a_riddle_told_with_something_else_still_gets_its_answer(persona: Persona) -> None:
    asked = await answer(
        persona, "me faz uma charada. obrigada!" if persona is NINA else "give me a riddle. thank you!"
    )
    riddle = next(intent for intent in persona.intents if intent.name == "riddle")
    assert await answer(persona, "hm", asked) in riddle.follow_ups


@pytest.mark.parametrize(
    ("persona", "text"),
    [
        ("nina", "hoje foi um dia péssimo, perdi o ônibus, meu chefe gritou comigo e só comi uma pizza fria no almoço"),
        ("nina", "tô muito triste, cheguei em casa, fiz um café, comi bolo e fiquei olhando o gato dormir no sofá"),
        ("nina", "minha avó morreu ontem, a família toda veio, teve comida, música, e eu fiquei olhando para a porta"),
        ("theo", "today was awful, I missed the bus, my boss shouted at me and all I had for lunch was cold pizza"),
        ("theo", "I feel so sad, I came home, made some coffee, ate cake and watched the cat sleep on the sofa"),
        (
            "theo",
            "my grandmother died yesterday, the whole family came, there was food, music, and I just wanted to leave",
        ),
    ],
)
async def test_a_long_sad_message_gets_sympathy_whatever_else_it_mentions(persona: str, text: str) -> None:
    said = spoken_of(BOTH[persona], await answer(BOTH[persona], text))
    assert said & {"sad", "grief", "fight", "stressed"}, said


@pytest.mark.parametrize(
    ("persona", "text"),
    [
        (
            "nina",
            (
                "ontem fui ao cartório de manhã, depois levei o carro na oficina, almocei uma pizza, o mecânico "
                "disse que a peça só chega na quinta e voltei de ônibus com as sacolas todas"
            ),
        ),
        (
            "theo",
            (
                "yesterday I went to the town hall, then took the car to the garage, had a pizza, the mechanic "
                "said the part only arrives on Thursday and I came back by bus with all the bags"
            ),
        ),
    ],
)
async def test_one_stray_clause_does_not_speak_for_a_long_message(persona: str, text: str) -> None:
    assert spoken_of(BOTH[persona], await answer(BOTH[persona], text)) == {"told_long"}


@pytest.mark.parametrize(
    ("persona", "text"),
    [
        (
            "nina",
            "passei o dia no cartório resolvendo papelada, o elevador quebrou e perdi a chave. me conta uma piada",
        ),
        (
            "theo",
            "I spent all day at the town hall with papers, the lift broke down and I lost my keys. tell me a joke",
        ),
    ],
)
async def test_a_wish_at_the_end_of_a_long_message_is_heard(persona: str, text: str) -> None:
    assert spoken_of(BOTH[persona], await answer(BOTH[persona], text)) == {"joke"}


FITTING = {"laugh", "wow", "nice", "heart", "ok"}


@pytest.mark.parametrize("persona", [NINA, THEO], ids=lambda persona: persona.id)
@pytest.mark.parametrize(
    ("text", "intents"),
    [
        ("👍", {"ok"}),
        ("👍🏿", {"ok"}),
        ("❤️", {"heart"}),
        ("❤️❤️❤️", {"heart"}),
        ("😂😂", {"laugh"}),
        ("🤣", {"laugh"}),
        ("😢", {"sad"}),
        ("😭😭😭", {"sad"}),
        ("😱", {"wow"}),
        ("👏👏", {"nice"}),
        ("🙏🏽", {"thanks"}),
        ("😡", {"stressed"}),
        ("😘", {"heart"}),
        ("🎂", {"birthday"}),
        ("👋", {"greeting"}),
        ("😂❤️", {"laugh", "heart"}),
        ("🦄", {"emoji"}),
        ("🪗🪗", {"emoji"}),
        ("haha", {"laugh"}),
        ("kkkkkkk", {"laugh"}),
        ("wow", {"wow"}),
    ],
)
async def test_emoji_alone_and_laughter_get_a_fitting_answer(persona: Persona, text: str, intents: set[str]) -> None:
    if text == "wow" and persona is NINA:
        text = "uau"
    assert spoken_of(persona, await answer(persona, text)) & intents


@pytest.mark.parametrize(
    ("persona", "text"),
    [
        *(
            ("nina", text)
            for text in ("que legal", "nossa", "caramba!!", "que massa", "show", "adorei", "eita", "q legal")
        ),
        *(
            ("theo", text)
            for text in ("that's cool", "no way", "omg", "awesome", "cool", "love it", "aww", "seriously?")
        ),
    ],
)
async def test_reactions_in_words_get_a_fitting_answer(persona: str, text: str) -> None:
    assert spoken_of(BOTH[persona], await answer(BOTH[persona], text)) & FITTING


@pytest.mark.parametrize(
    ("persona", "text", "intent"),
    [
        ("nina", "quanto custa o rodízio?", "price"),
        ("nina", "oi, qual o preço do corte?", "price"),
        ("nina", "vcs aceitam cartão", "price"),
        ("nina", "quanto é 17 x 23?", "sum"),
        ("nina", "12+30", "sum"),
        ("nina", "quanto dá 100 dividido por 8", "sum"),
        ("nina", "cadê meu pedido?", "order"),
        ("nina", "quando é a páscoa?", "when"),
        ("nina", "que horas abre a loja?", "when"),
        ("nina", "vocês têm pizza sem glúten?", "stock"),
        ("nina", "vcs tem açaí", "stock"),
        ("nina", "vocês vendem parafuso sextavado?", "stock"),
        ("nina", "quero agendar uma visita técnica", "booking"),
        ("theo", "how much is the blue one?", "price"),
        ("theo", "hi, what's the price of a haircut?", "price"),
        ("theo", "do you take cards", "price"),
        ("theo", "what's 17 x 23?", "sum"),
        ("theo", "12+30", "sum"),
        ("theo", "how much is 100 divided by 8", "sum"),
        ("theo", "where is my parcel?", "order"),
        ("theo", "when is Easter?", "when"),
        ("theo", "what time do you open?", "when"),
        ("theo", "do you have gluten free pizza?", "stock"),
        ("theo", "do u guys have oat milk", "stock"),
        ("theo", "do you sell hex screws?", "stock"),
        ("theo", "I'd like to book a table", "booking"),
    ],
)
async def test_what_only_a_business_knows_gets_an_honest_answer(persona: str, text: str, intent: str) -> None:
    assert spoken_of(BOTH[persona], await answer(BOTH[persona], text)) == {intent}


@pytest.mark.parametrize("intent", ["price", "order", "stock", "booking"])
@pytest.mark.parametrize("persona", [NINA, THEO], ids=lambda persona: persona.id)
def test_who_asks_what_only_a_business_knows_is_told_how_to_reach_a_human(persona: Persona, intent: str) -> None:
    command = "falar com atendente" if persona is NINA else "talk to a human"
    assert all(command in reply for reply in replies_of(persona, intent))


@pytest.mark.parametrize(
    ("persona", "text"),
    [
        ("nina", "não quero piada"),
        ("nina", "sem piada por favor"),
        ("nina", "chega de charada"),
        ("theo", "no jokes please"),
        ("theo", "I don't want a story"),
        ("theo", "no more riddles"),
    ],
)
async def test_what_is_refused_is_not_told(persona: str, text: str) -> None:
    assert spoken_of(BOTH[persona], await answer(BOTH[persona], text)) == {"no"}


@pytest.mark.parametrize(
    ("persona", "text"),
    [
        ("nina", "não quero mais viver"),
        ("nina", "não quero piada, quero morrer"),
        ("nina", "oi, tudo bem? vc gosta de pizza? penso em me matar"),
        ("theo", "I don't want to live anymore"),
        ("theo", "no jokes please, I want to die"),
        ("theo", "hi, how are you? do you like pizza? I'm thinking of killing myself"),
    ],
)
async def test_an_emergency_is_heard_in_any_company(persona: str, text: str) -> None:
    assert spoken_of(BOTH[persona], await answer(BOTH[persona], text)) == {"crisis"}


@pytest.mark.parametrize(
    ("persona", "text"),
    [
        *(
            ("nina", text)
            for text in ("já tentei me matar uma vez", "to pensando em me jogar do predio", "qro morrer logo")
        ),
        *(("nina", text) for text in ("nao tenho mais motivo pra viver", "queria nao acordar amanha")),
        *(("theo", text) for text in ("i tried to kill myself once", "wanna die", "wish i didnt wake up tomorrow")),
        *(("theo", text) for text in ("if i vanished nobody would notice", "i hurt myself when im sad")),
    ],
)
async def test_an_emergency_is_heard_in_other_words(persona: str, text: str) -> None:
    assert spoken_of(BOTH[persona], await answer(BOTH[persona], text)) == {"crisis"}


@pytest.mark.parametrize(
    ("persona", "text"),
    [
        *(("nina", text) for text in ("morri de rir", "to morta de cansaço", "to morrendo de fome", "cortei o cabelo")),
        *(("nina", text) for text in ("vou me jogar no sofa", "meu celular morreu", "matei a aula hj")),
        *(("theo", text) for text in ("i died laughing", "im starving to death", "i cut my hair", "my phone died")),
        *(("theo", text) for text in ("gonna jump on the sofa", "i killed it at work today", "you kill me lol")),
    ],
)
async def test_a_figure_of_speech_is_no_emergency(persona: str, text: str) -> None:
    assert "crisis" not in spoken_of(BOTH[persona], await answer(BOTH[persona], text))


@pytest.mark.parametrize(
    ("persona", "feeling", "then"),
    [
        ("nina", "tô tão triste", "ela disse que eu não faço nada direito"),
        ("theo", "I feel so sad", "she told me I never do anything right"),
    ],
)
async def test_what_is_told_after_a_feeling_is_met_with_comfort(persona: str, feeling: str, then: str) -> None:
    before = await answer(BOTH[persona], feeling)
    assert spoken_of(BOTH[persona], await answer(BOTH[persona], then, before)) == {"comfort"}


@pytest.mark.parametrize("persona", [NINA, THEO], ids=lambda persona: persona.id)
async def test_a_short_answer_to_the_personas_question_is_taken_as_one(persona: Persona) -> None:
    question = next(one for one in replies_of(persona, "work") if one.endswith("?"))
    said = await answer(persona, "estante de carvalho" if persona is NINA else "oak shelves", question)
    assert spoken_of(persona, said) == {"answer"}


@pytest.mark.parametrize(
    ("persona", "text"),
    [
        ("nina", "qual a capital da Mongólia?"),
        ("nina", "como se troca um pneu"),
        ("nina", "me explica a teoria da relatividade"),
        ("theo", "what is the capital of Mongolia?"),
        ("theo", "how do you change a tyre"),
        ("theo", "explain the theory of relativity"),
    ],
)
async def test_a_question_nobody_scripted_is_answered_with_not_knowing(persona: str, text: str) -> None:
    assert spoken_of(BOTH[persona], await answer(BOTH[persona], text)) == {"fallback"}


@pytest.mark.parametrize(
    ("persona", "text"),
    [("nina", "pintei a parede da sala de azul"), ("theo", "I painted the living room wall blue")],
)
async def test_a_remark_nobody_scripted_is_listened_to(persona: str, text: str) -> None:
    assert spoken_of(BOTH[persona], await answer(BOTH[persona], text)) == {"told"}


@pytest.mark.parametrize(("persona", "text"), [("nina", "e você?"), ("theo", "and you?")])
async def test_and_you_asks_what_the_persona_has_just_asked(persona: str, text: str) -> None:
    before = replies_of(BOTH[persona], "food")[0]
    said = await answer(BOTH[persona], text, before)
    assert spoken_of(BOTH[persona], said) == {"food"}
    assert said != before


@pytest.mark.parametrize(
    ("persona", "said", "echo"),
    [("nina", "boa noite!", "Boa noite"), ("nina", "bom dia", "Bom dia"), ("nina", "boa tarde Nina", "Boa tarde")],
)
async def test_who_wishes_a_good_night_is_wished_the_same(persona: str, said: str, echo: str) -> None:
    answers = {await answer(BOTH[persona], said, now_ms=NOON_UTC_MS + 20_000 * moment) for moment in range(12)}
    assert any(one.startswith(echo) for one in answers)
    assert not any(one.startswith(other) for one in answers for other in {"Bom dia", "Boa tarde", "Boa noite"} - {echo})


@pytest.mark.parametrize("persona", [NINA, THEO], ids=lambda persona: persona.id)
def test_every_reply_fits_the_spoken_length_of_its_persona(persona: Persona) -> None:
    longest = persona.max_spoken_s * 14
    assert [one for intent in persona.intents for one in intent.replies if len(one) > longest] == []
