"""What a designed voice is made to say once, so that it can be cloned from then on. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from tts.contract import PcmAudio
from tts.languages import match_language

DESIGN_PROMPT_DEFAULT = (
    "A warm, friendly adult voice with clear articulation and a calm, natural pace, as in a voice message to a friend."
)

# About 8 s each: questions and statements, open and closed vowels, and nothing a front end would have to expand.
_TEXTS = {
    "pt-BR": "Oi, tudo bem? Que bom falar com você! Hoje o dia amanheceu claro, e eu já separei tudo o que você pediu. "
    "Quer que eu conte como foi, ou prefere deixar para depois?",
    "en": "Hi, how are you? It is so good to hear from you! The morning was bright, and I have put together everything "
    "you asked for. Shall I tell you how it went, or would you rather leave it for later?",
    "es": "Hola, ¿cómo estás? ¡Qué bueno hablar contigo! El día amaneció claro, y ya preparé todo lo que pediste. "
    "¿Quieres que te cuente cómo fue, o prefieres dejarlo para después?",
    "fr": "Bonjour, comment allez-vous ? Quel plaisir de vous parler ! Le jour s'est levé tout clair, et j'ai déjà "
    "préparé ce que vous aviez demandé. Je vous raconte, ou vous préférez plus tard ?",
    "it": "Ciao, come stai? Che bello sentirti! La giornata è cominciata con il sole, e ho già preparato tutto quello "
    "che avevi chiesto. Vuoi che ti racconti com'è andata, o preferisci più tardi?",
    "de": "Hallo, wie geht es dir? Schön, von dir zu hören! Der Morgen war hell, und ich habe schon alles vorbereitet, "
    "worum du gebeten hast. Soll ich erzählen, wie es war, oder lieber später?",
    "ru": "Привет, как дела? Как хорошо тебя слышать! Утро было ясным, и я уже приготовила всё, о чём ты просил. "
    "Рассказать, как всё прошло, или лучше потом?",
    "ja": "こんにちは、お元気ですか。お話しできてうれしいです。今朝はよく晴れていて、"
    "頼まれたものはもう全部そろえました。どうだったかお話ししましょうか、それともあとにしますか。",
    "ko": "안녕하세요, 잘 지내셨어요? 이야기하게 되어 정말 반가워요! 오늘 아침은 맑았고, "
    "부탁하신 것은 벌써 다 준비했어요. 어땠는지 들려드릴까요, 아니면 나중에 할까요?",
    "zh": "你好，最近怎么样？很高兴和你聊天！今天早上天气晴朗，你要的东西我都已经准备好了。"
    "要我现在讲讲经过吗，还是等一会儿再说？",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DesignedClip:
    """A reference clip that passed the gate, and the words it says."""

    audio: PcmAudio
    transcript: str = field(repr=False)
    engine: str
    model: str


def design_text(language: str) -> tuple[str, str]:
    """What a clip says in `language`, and the language it says it in (English where there is no text of its own)."""
    known = match_language(language, _TEXTS) or "en"
    return _TEXTS[known], known
