"""Every sentence the bot says in its own name, in Brazilian Portuguese and English. Knows no persona and no channel."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType

PORTUGUESE, ENGLISH = "pt-BR", "en"


class Phrase(StrEnum):
    """What there is to say; braces in the comments are the slots `say` needs."""

    DISCLOSURE = "disclosure"  # {persona}
    HELP = "help"  # {persona}
    MENU_BODY = "menu_body"  # {persona}
    MENU_BUTTON = "menu_button"  # at most 20 characters
    PERSONA_CHOSEN = "persona_chosen"  # {persona}
    PERSONA_UNKNOWN = "persona_unknown"
    VOICE_ON = "voice_on"
    VOICE_OFF = "voice_off"
    STOPPED = "stopped"
    STARTED = "started"
    ALREADY_STARTED = "already_started"
    DELETE_ASK = "delete_ask"
    DELETE_DONE = "delete_done"
    DELETE_KEPT = "delete_kept"
    HUMAN_CALLED = "human_called"
    NOTHING_TO_REPEAT = "nothing_to_repeat"
    AUDIO_NOT_UNDERSTOOD = "audio_not_understood"
    AUDIO_TOO_LONG = "audio_too_long"
    MEDIA_UNSUPPORTED = "media_unsupported"
    RATE_LIMITED = "rate_limited"
    QUOTA_REACHED = "quota_reached"
    TOO_OLD = "too_old"
    LOOP_PAUSED = "loop_paused"
    NO_ANSWER = "no_answer"


_PORTUGUESE = {
    Phrase.DISCLOSURE: (
        "Antes de tudo: {persona} é uma inteligência artificial, de voz sintética. Para parar, escreva *parar*."
    ),
    Phrase.HELP: (
        "Você está conversando com {persona}. É só mandar texto ou áudio.\n\n"
        "Também entendo estas mensagens:\n"
        "• *personas*: escolher com quem conversar\n"
        "• *voz ligar* ou *voz desligar*: resposta falada ou escrita\n"
        "• *repetir em voz*: ouvir de novo a última resposta\n"
        "• *falar com atendente*: chamar uma pessoa\n"
        "• *parar*: não receber mais mensagens (*começar* para voltar)\n"
        "• *apagar meus dados*: esquecer tudo o que conversamos"
    ),
    Phrase.MENU_BODY: "Agora você está com {persona}. Com quem quer conversar?",
    Phrase.MENU_BUTTON: "Escolher",
    Phrase.PERSONA_CHOSEN: "Pronto, agora quem fala com você é {persona}.",
    Phrase.PERSONA_UNKNOWN: "Essa persona não está mais aqui. Escreva *personas* para ver quem está.",
    Phrase.VOICE_ON: "Combinado, volto a responder por voz.",
    Phrase.VOICE_OFF: "Combinado, respondo só por escrito. Para me ouvir de novo, escreva *voz ligar*.",
    Phrase.STOPPED: (
        "Tudo bem, não mando mais mensagens. Se mudar de ideia, escreva *começar*. Obrigado pela companhia!"
    ),
    Phrase.STARTED: "Que bom ter você de volta! Pode falar, estou ouvindo.",
    Phrase.ALREADY_STARTED: "Já estou por aqui. Sobre o que vamos conversar?",
    Phrase.DELETE_ASK: (
        "Vou apagar nossas conversas, áudios e preferências, e isso não tem volta. "
        "Responda *sim* nos próximos minutos para confirmar, ou *não* para deixar como está."
    ),
    Phrase.DELETE_DONE: "Pronto, seus dados foram apagados. Se quiser conversar de novo, é só mandar mensagem.",
    Phrase.DELETE_KEPT: "Certo, não apaguei nada.",
    Phrase.HUMAN_CALLED: "Já avisei a equipe. Uma pessoa vai continuar por aqui, e eu fico em silêncio enquanto isso.",
    Phrase.NOTHING_TO_REPEAT: "Ainda não falei nada que dê para repetir.",
    Phrase.AUDIO_NOT_UNDERSTOOD: "Não consegui entender esse áudio. Pode gravar de novo, mais perto, ou escrever?",
    Phrase.AUDIO_TOO_LONG: "Esse áudio é longo demais para mim. Pode mandar em partes menores?",
    Phrase.MEDIA_UNSUPPORTED: "Isso eu ainda não sei ver nem abrir. Me conta por texto ou por áudio?",
    Phrase.RATE_LIMITED: "Calma, assim eu não acompanho! Me dá um minutinho e a gente continua.",
    Phrase.QUOTA_REACHED: "Por hoje já conversamos bastante. Amanhã eu estou aqui de novo!",
    Phrase.TOO_OLD: "Desculpe, sua mensagem me chegou com muito atraso. Se ainda fizer sentido, mande de novo?",
    Phrase.LOOP_PAUSED: "Acho que estamos andando em círculos, então vou fazer uma pausa. A equipe já foi avisada.",
    Phrase.NO_ANSWER: "Desculpe, me perdi aqui. Pode repetir daqui a pouquinho?",
}
_ENGLISH = {
    Phrase.DISCLOSURE: (
        "One thing first: {persona} is an artificial intelligence with a synthetic voice. To end this, write *stop*."
    ),
    Phrase.HELP: (
        "You're talking with {persona}. Just send text or a voice note.\n\n"
        "I also understand these messages:\n"
        "• *personas*: choose who to talk with\n"
        "• *voice on* or *voice off*: spoken or written answers\n"
        "• *repeat aloud*: hear the last answer again\n"
        "• *talk to a human*: call a person\n"
        "• *stop*: no more messages (*start* to come back)\n"
        "• *delete my data*: forget everything we talked about"
    ),
    Phrase.MENU_BODY: "You're with {persona} now. Who would you like to talk with?",
    Phrase.MENU_BUTTON: "Choose",
    Phrase.PERSONA_CHOSEN: "Done, you're now talking with {persona}.",
    Phrase.PERSONA_UNKNOWN: "That persona is no longer here. Write *personas* to see who is.",
    Phrase.VOICE_ON: "All right, I'll answer out loud again.",
    Phrase.VOICE_OFF: "All right, I'll answer in writing only. To hear me again, write *voice on*.",
    Phrase.STOPPED: "All right, no more messages from me. Changed your mind? Write *start*. Thanks for the company!",
    Phrase.STARTED: "Good to have you back! Go ahead, I'm listening.",
    Phrase.ALREADY_STARTED: "I'm right here. What shall we talk about?",
    Phrase.DELETE_ASK: (
        "I'll delete our conversations, voice notes and preferences, and that can't be undone. "
        "Answer *yes* in the next few minutes to confirm, or *no* to leave everything as it is."
    ),
    Phrase.DELETE_DONE: "Done, your data has been deleted. If you'd like to talk again, just send a message.",
    Phrase.DELETE_KEPT: "Fine, I deleted nothing.",
    Phrase.HUMAN_CALLED: "I've told the team. A person will carry on here, and I'll stay quiet in the meantime.",
    Phrase.NOTHING_TO_REPEAT: "I haven't said anything yet that I could repeat.",
    Phrase.AUDIO_NOT_UNDERSTOOD: "I couldn't make out that recording. Could you try again, closer, or write it?",
    Phrase.AUDIO_TOO_LONG: "That recording is too long for me. Could you send it in smaller parts?",
    Phrase.MEDIA_UNSUPPORTED: "I can't see or open that yet. Could you tell me in text or by voice?",
    Phrase.RATE_LIMITED: "Slow down, I can't keep up! Give me a minute and we'll carry on.",
    Phrase.QUOTA_REACHED: "We've talked plenty for one day. I'll be here again tomorrow!",
    Phrase.TOO_OLD: "Sorry, your message reached me very late. If it still matters, would you send it again?",
    Phrase.LOOP_PAUSED: "I think we're going round in circles, so I'll take a break. The team has been told.",
    Phrase.NO_ANSWER: "Sorry, I lost my thread. Could you say that again in a little while?",
}
PHRASES = MappingProxyType({PORTUGUESE: MappingProxyType(_PORTUGUESE), ENGLISH: MappingProxyType(_ENGLISH)})


def say(phrase: Phrase, language: str, **slots: str) -> str:
    """The sentence in that language: Portuguese for any `pt`, English for every other."""
    table = PHRASES[PORTUGUESE if language.lower().startswith("pt") else ENGLISH]
    return table[phrase].format_map(slots)
