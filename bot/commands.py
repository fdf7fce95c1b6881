"""Which short utterances are commands, in both languages at once, and in which they were said. Pure; acts on nothing.

Tight on purpose: a command is the whole message, give or take case, accents, punctuation, emoji, politeness and one
typo in a long one. "Don't stop!" and "help me choose a gift" are conversation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rapidfuzz import process
from rapidfuzz.distance import OSA

from bot.phrases import ENGLISH, PORTUGUESE
from bot.words import plain_words

PERSONA_PAYLOAD = "persona:"
TYPO_MIN_CHARS = 11  # shorter phrases have neighbours that are ordinary words


class CommandKind(StrEnum):
    """What a person can tell the bot itself."""

    HELP = "help"
    PERSONAS = "personas"
    CHOOSE = "choose"  # argument: persona id
    VOICE_ON = "voice_on"
    VOICE_OFF = "voice_off"
    REPEAT = "repeat"
    STOP = "stop"
    START = "start"
    DELETE = "delete"
    CONFIRM_DELETE = "confirm_delete"
    CANCEL_DELETE = "cancel_delete"
    HUMAN = "human"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command and what it is about; `argument` is empty for most.

    `language` is the one its words belong to; empty where they are of both (`menu`), of none (a tap), or a name.
    """

    kind: CommandKind
    argument: str = ""
    language: str = field(default="", compare=False)


_PHRASES: dict[str, dict[CommandKind, str]] = {
    PORTUGUESE: {
        CommandKind.HELP: """
            ajuda | me ajuda | comandos | lista de comandos | quais os comandos | quais sao os comandos | como usar""",
        CommandKind.PERSONAS: """
            personas | persona | menu | trocar persona | trocar de persona | mudar persona | mudar de persona
            escolher persona | outra persona | lista de personas | ver personas | trocar de voz | mudar de voz
            personagens | trocar personagem | trocar de personagem | mudar de personagem""",
        CommandKind.VOICE_ON: """
            voz ligar | voz ligada | ligar voz | ligar a voz | liga a voz | ativar voz | ativar a voz | ative a voz
            voz sim | voz on | responda em audio | responde em audio | responder em audio | responda por voz
            responde por voz | quero audio | quero voz""",
        CommandKind.VOICE_OFF: """
            voz desligar | voz desligada | desligar voz | desligar a voz | desliga a voz | desativar voz
            desativar a voz | desative a voz | voz nao | voz off | sem voz | sem audio | so texto | apenas texto
            somente texto | responda em texto | responde em texto | responda por texto | responde por texto""",
        CommandKind.REPEAT: """
            repetir | repete | repita | repetir em voz | repete em voz | repita em voz | repetir em voz alta
            repete em voz alta | repita em voz alta | repetir em audio | repete em audio | repita em audio
            pode repetir | pode repetir em voz | pode repetir em audio | fala de novo | repete ai""",
        CommandKind.STOP: """
            parar | pare | sair | descadastrar | me descadastra | cancelar inscricao | remover inscricao
            pare de me mandar mensagem | pare de me mandar mensagens | para de me mandar mensagem
            para de me mandar mensagens | pare de mandar mensagens | nao quero mais receber mensagens
            nao me mande mais mensagens | nao me manda mais mensagem | nao quero mais mensagens""",
        CommandKind.START: """
            comecar | iniciar | voltar | quero voltar | recomecar | reativar | comecar de novo | comecar novamente""",
        CommandKind.DELETE: """
            apagar meus dados | apaga meus dados | apague meus dados | excluir meus dados | exclua meus dados
            exclui meus dados | deletar meus dados | deleta meus dados | delete meus dados | remover meus dados
            remova meus dados | apagar minhas informacoes | apagar meu historico | apague meu historico
            apagar minha conversa | quero apagar meus dados | quero excluir meus dados | esquecer meus dados""",
        CommandKind.HUMAN: """
            atendente | falar com atendente | falar com um atendente | falar com uma atendente | quero um atendente
            quero falar com atendente | quero falar com um atendente | quero falar com uma atendente
            chamar atendente | chama um atendente | falar com humano | falar com um humano | quero falar com um humano
            quero falar com humano | falar com uma pessoa | quero falar com uma pessoa | falar com uma pessoa de verdade
            quero falar com uma pessoa de verdade | quero falar com alguem de verdade | atendimento humano
            quero atendimento humano | preciso falar com um atendente | preciso falar com uma pessoa
            posso falar com um atendente | posso falar com uma pessoa""",
    },
    ENGLISH: {
        CommandKind.HELP: """
            help | commands | list commands | show commands | what are the commands""",
        CommandKind.PERSONAS: """
            personas | persona | menu | change persona | switch persona | choose persona | choose a persona
            list personas | show personas | change voice | change voices | another persona | show menu | characters""",
        CommandKind.VOICE_ON: """
            voice on | turn voice on | turn on voice | turn the voice on | turn on the voice | enable voice
            answer with voice | reply with voice | answer by voice""",
        CommandKind.VOICE_OFF: """
            voice off | turn voice off | turn off voice | turn the voice off | turn off the voice | disable voice
            text only | only text | answer in text | reply in text | no voice""",
        CommandKind.REPEAT: """
            repeat | repeat that | repeat it | repeat aloud | repeat out loud | repeat that aloud
            repeat with voice | say it again | say that again | can you repeat | can you repeat that | say it aloud""",
        CommandKind.STOP: """
            stop | stop all | unsubscribe | opt out | optout | stop messaging me | stop sending me messages
            stop texting me | do not message me | dont message me | dont message me anymore | no more messages""",
        CommandKind.START: """
            start | restart | resume | start again | unstop | subscribe | opt in""",
        CommandKind.DELETE: """
            delete my data | erase my data | remove my data | delete all my data | erase all my data
            delete my information | delete my history | forget my data | i want to delete my data
            please delete all my data""",
        CommandKind.HUMAN: """
            talk to a human | talk to human | speak to a human | i want to talk to a human | talk to a person
            i want to speak to a human | speak to a person | i want to talk to a person | human agent
            talk to an agent | speak to an agent | i want to talk to a real person | talk to a real person
            can i talk to a human | can i speak to a human | i want a human | i need a human | agent
            speak with a human | talk with a human | can i talk to a person | i need to talk to a human""",
    },
}
_ANSWERS: dict[str, dict[CommandKind, str]] = {  # to the question whether to delete
    PORTUGUESE: {
        CommandKind.CONFIRM_DELETE: """
            sim | sim pode | sim pode apagar | pode apagar | sim apagar | sim apague | confirmo | confirmar
            sim por favor | sim quero | apagar | apague | sim tenho certeza | tenho certeza | com certeza | s""",
        CommandKind.CANCEL_DELETE: """
            nao | nao apague | nao apagar | cancelar | cancela | deixa | deixa pra la | melhor nao | nao quero | n""",
    },
    ENGLISH: {
        CommandKind.CONFIRM_DELETE: """
            yes | yes please | yes delete | yes delete it | delete | delete it | confirm | i confirm | yes i am sure
            im sure | y | sure""",
        CommandKind.CANCEL_DELETE: """
            no | no thanks | cancel | dont | dont delete | do not delete | keep it | never mind | nope | n""",
    },
}
_CHOOSE_LEADS = {
    PORTUGUESE: """
        falar com | falar com a | falar com o | quero falar com | quero falar com a | quero falar com o | trocar para
        trocar para a | trocar para o | mudar para | mudar para a | mudar para o | troca para | troca para a
        troca para o | muda para | chama a | chama o | chamar | escolher | escolho | persona""",
    ENGLISH: """
        talk to | switch to | change to | choose | i want to talk to | let me talk to | speak to | persona""",
}
_POLITE = re.compile(r"^(?:por favor|pfv|please|pls|ei)\s+|\s+(?:por favor|pfv|pf|please|pls|obrigad[oa]|thanks)$")


def _phrases(block: str) -> frozenset[str]:
    return frozenset(phrase.strip() for line in block.strip().splitlines() for phrase in line.split("|"))


def _by_phrase(tables: Mapping[str, Mapping[CommandKind, str]]) -> dict[str, Command]:
    """Phrase → command; one that both languages have belongs to neither."""
    found: dict[str, Command] = {}
    for language, table in tables.items():
        for kind, block in table.items():
            for phrase in _phrases(block):
                found[phrase] = Command(kind=kind, language="" if phrase in found else language)
    return found


_COMMANDS = _by_phrase(_PHRASES)
_ABOUT_DELETION = _by_phrase(_ANSWERS)
_LEADS = tuple((phrase + " ", language) for language, block in _CHOOSE_LEADS.items() for phrase in _phrases(block))
_LONG_COMMANDS = tuple(phrase for phrase in _COMMANDS if len(phrase) >= TYPO_MIN_CHARS)
_LONGEST_COMMAND = max(map(len, _COMMANDS))


def persona_payload(persona_id: str) -> str:
    """The machine id of a menu row that chooses this persona."""
    return PERSONA_PAYLOAD + persona_id


def persona_words(names: Mapping[str, str]) -> dict[str, str]:
    """Names and keywords → persona id, in the form `parse_command` compares them in."""
    return {plain_words(name): persona_id for name, persona_id in names.items() if plain_words(name)}


def parse_command(
    text: str | None, payload: str | None = None, *, personas: Mapping[str, str] | None = None, awaiting: str = ""
) -> Command | None:
    """The command a message is, or None for conversation.

    `payload` is the id of a tapped row or button. `personas` comes from `persona_words`. With `awaiting` set to
    "confirm_delete", a plain yes or no decides about the deletion.
    """
    if payload:
        return _from_payload(payload)
    words = _without_courtesy(plain_words(text or ""))
    if not words:
        return None
    if awaiting == CommandKind.CONFIRM_DELETE and words in _ABOUT_DELETION:
        return _ABOUT_DELETION[words]
    chosen = _chosen(words, personas or {})
    if chosen:
        return chosen
    command = _COMMANDS.get(words) or _near(words)
    if command is None or (command.kind is CommandKind.STOP and "?" in (text or "")):  # "stop?" asks, it does not order
        return None
    return command


def _from_payload(payload: str) -> Command | None:
    if payload.startswith(PERSONA_PAYLOAD):
        return Command(kind=CommandKind.CHOOSE, argument=payload.removeprefix(PERSONA_PAYLOAD))
    try:
        return Command(kind=CommandKind(payload.removeprefix("command:")))
    except ValueError:
        return None


def _without_courtesy(words: str) -> str:
    """Politeness around a command does not change it."""
    return _POLITE.sub("", _POLITE.sub("", words))


def _chosen(words: str, personas: Mapping[str, str]) -> Command | None:
    if words in personas:
        return Command(kind=CommandKind.CHOOSE, argument=personas[words])
    found = {
        language: personas[name]
        for lead, language in _LEADS
        if words.startswith(lead) and (name := words.removeprefix(lead)) in personas
    }
    if not found:
        return None
    language, persona_id = next(iter(found.items()))
    return Command(kind=CommandKind.CHOOSE, argument=persona_id, language=language if len(found) == 1 else "")


def _near(words: str) -> Command | None:
    """A long command with one slip of the thumb in it."""
    if not TYPO_MIN_CHARS - 1 <= len(words) <= _LONGEST_COMMAND + 1:
        return None
    found = process.extractOne(words, _LONG_COMMANDS, scorer=OSA.distance, score_cutoff=1)
    return _COMMANDS[found[0]] if found else None
