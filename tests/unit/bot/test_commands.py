from __future__ import annotations

import pytest

from bot.commands import Command, CommandKind, parse_command, persona_payload, persona_words

PERSONAS = persona_words({"Nina": "nina", "português": "nina", "Theo": "theo", "english": "theo"})


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ajuda", CommandKind.HELP),
        ("AJUDA!", CommandKind.HELP),
        ("help", CommandKind.HELP),
        ("Help, please", CommandKind.HELP),
        ("/help", CommandKind.HELP),
        ("comandos", CommandKind.HELP),
        ("personas", CommandKind.PERSONAS),
        ("Menu", CommandKind.PERSONAS),
        ("trocar persona", CommandKind.PERSONAS),
        ("Trocar de persona 🙂", CommandKind.PERSONAS),
        ("switch persona", CommandKind.PERSONAS),
        ("voz ligar", CommandKind.VOICE_ON),
        ("Ligar a voz", CommandKind.VOICE_ON),
        ("voice on", CommandKind.VOICE_ON),
        ("turn on the voice", CommandKind.VOICE_ON),
        ("voz desligar", CommandKind.VOICE_OFF),
        ("só texto, por favor", CommandKind.VOICE_OFF),
        ("voice off.", CommandKind.VOICE_OFF),
        ("turn voice off", CommandKind.VOICE_OFF),
        ("repetir em voz", CommandKind.REPEAT),
        ("repete em voz alta", CommandKind.REPEAT),
        ("repeat", CommandKind.REPEAT),
        ("say that again", CommandKind.REPEAT),
        ("can you repeat that?", CommandKind.REPEAT),
        ("stop", CommandKind.STOP),
        ("STOP!!!", CommandKind.STOP),
        ("stoppp", CommandKind.STOP),
        ("Parar", CommandKind.STOP),
        ("sair", CommandKind.STOP),
        ("por favor pare", CommandKind.STOP),
        ("não quero mais receber mensagens", CommandKind.STOP),
        ("unsubscribe", CommandKind.STOP),
        ("começar", CommandKind.START),
        ("comecar", CommandKind.START),
        ("voltar", CommandKind.START),
        ("START", CommandKind.START),
        ("apagar meus dados", CommandKind.DELETE),
        ("apagr meus dados", CommandKind.DELETE),
        ("delete my data", CommandKind.DELETE),
        ("delet my data", CommandKind.DELETE),
        ("falar com atendente", CommandKind.HUMAN),
        ("Quero falar com um atendente.", CommandKind.HUMAN),
        ("falar com atendnte", CommandKind.HUMAN),
        ("talk to a human", CommandKind.HUMAN),
        ("I want to talk to a human!", CommandKind.HUMAN),
    ],
)
def test_a_short_order_is_understood_in_both_languages(text: str, kind: CommandKind) -> None:
    assert parse_command(text) == Command(kind=kind)


@pytest.mark.parametrize(
    "text",
    [
        "don't stop!",
        "stop?",
        "stop it, you're making me laugh",
        "the bus didn't stop",
        "para com isso kkk",
        "para",
        "não para não",
        "pare de bobeira",
        "vamos sair?",
        "vou sair com meus amigos",
        "help me choose a gift",
        "can you help me with my homework?",
        "me ajuda a escolher um presente",
        "ajuda demais essa música",
        "quero começar a correr",
        "let's start over with the story",
        "voltar pra casa é bom",
        "eu apaguei meus dados do celular",
        "how do companies delete my data?",
        "falei com atendente ontem",
        "eu trabalho como atendente",
        "I like to talk to humans",
        "human beings are strange",
        "repetir de ano é ruim",
        "history repeats itself",
        "a voz dela é linda",
        "your voice is on point",
        "o menu do restaurante",
        "sim",
        "yes",
        "não",
        "oi Nina",
        "Nina, tudo bem?",
        "quem é o Theo?",
        "",
        "🙂",
        "   ",
        "?",
    ],
)
def test_conversation_is_not_a_command(text: str) -> None:
    assert parse_command(text, personas=PERSONAS) is None


@pytest.mark.parametrize(
    ("text", "persona"),
    [
        ("Theo", "theo"),
        ("theo!", "theo"),
        ("English", "theo"),
        ("PORTUGUÊS", "nina"),
        ("falar com a Nina", "nina"),
        ("quero falar com o Theo", "theo"),
        ("trocar para Nina", "nina"),
        ("talk to Theo", "theo"),
        ("switch to nina please", "nina"),
    ],
)
def test_a_name_or_keyword_alone_chooses_its_persona(text: str, persona: str) -> None:
    assert parse_command(text, personas=PERSONAS) == Command(kind=CommandKind.CHOOSE, argument=persona)


def test_a_tapped_row_chooses_whatever_its_title_says() -> None:
    command = parse_command("stop", persona_payload("theo"))
    assert command == Command(kind=CommandKind.CHOOSE, argument="theo")


def test_a_foreign_payload_is_no_command() -> None:
    assert parse_command("stop", "coupon-42") is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("sim", CommandKind.CONFIRM_DELETE),
        ("Sim!", CommandKind.CONFIRM_DELETE),
        ("yes", CommandKind.CONFIRM_DELETE),
        ("yes, delete it", CommandKind.CONFIRM_DELETE),
        ("não", CommandKind.CANCEL_DELETE),
        ("cancel", CommandKind.CANCEL_DELETE),
        ("stop", CommandKind.STOP),
    ],
)
def test_yes_and_no_decide_only_about_an_open_deletion(text: str, kind: CommandKind) -> None:
    command = parse_command(text, awaiting="confirm_delete")
    assert command is not None
    assert command.kind is kind


def test_an_unclear_answer_confirms_no_deletion() -> None:
    assert parse_command("sim mas depois", awaiting="confirm_delete") is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("ajuda", "pt-BR"),
        ("help", "en"),
        ("HELP, please", "en"),
        ("parar", "pt-BR"),
        ("stop", "en"),
        ("começar", "pt-BR"),
        ("start", "en"),
        ("voz ligar", "pt-BR"),
        ("voice on", "en"),
        ("só texto, por favor", "pt-BR"),
        ("text only", "en"),
        ("repete aí", "pt-BR"),
        ("say that again", "en"),
        ("trocar persona", "pt-BR"),
        ("switch persona", "en"),
        ("falar com atendente", "pt-BR"),
        ("talk to a human", "en"),
        ("apagar meus dados", "pt-BR"),
        ("apagr meus dados", "pt-BR"),
        ("delete my data", "en"),
        ("delet my data", "en"),
        ("falar com o Theo", "pt-BR"),
        ("talk to Nina", "en"),
        ("menu", ""),
        ("personas", ""),
        ("Theo", ""),
        ("persona Theo", ""),
    ],
)
def test_a_command_tells_the_language_it_was_said_in_unless_both_say_it_so(text: str, language: str) -> None:
    command = parse_command(text, personas=PERSONAS)
    assert command is not None
    assert command.language == language


@pytest.mark.parametrize(
    ("text", "language"), [("sim", "pt-BR"), ("yes", "en"), ("não", "pt-BR"), ("no", "en"), ("n", "")]
)
def test_a_yes_or_no_tells_its_language(text: str, language: str) -> None:
    command = parse_command(text, awaiting="confirm_delete")
    assert command is not None
    assert command.language == language


def test_a_tap_tells_no_language() -> None:
    command = parse_command("Stop", "command:stop")
    assert command is not None
    assert command.language == ""
