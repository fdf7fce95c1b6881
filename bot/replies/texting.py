"""Spells out what people abbreviate in chats, in Portuguese and English. Pure; knows no script."""

from __future__ import annotations

import re

_WORD = re.compile(r"[\w']+")
_DOUBLED_END = re.compile(r"(?<=\w)(\w)\1+$")

_PORTUGUESE = {
    "abs": "abraços", "agr": "agora", "aki": "aqui", "amh": "amanhã", "bj": "beijo", "bjo": "beijo", "bjs": "beijos",
    "blz": "beleza", "c": "com", "cm": "como", "cmg": "comigo", "ctg": "contigo", "ctz": "certeza", "cê": "você",
    "ce": "você", "dps": "depois", "eae": "e aí", "eai": "e aí", "eaí": "e aí", "eh": "é", "facul": "faculdade",
    "fds": "fim de semana", "flw": "falou", "fmz": "firmeza", "hj": "hoje", "hr": "hora", "hrs": "horas", "kd": "cadê",
    "mds": "meu deus", "msg": "mensagem", "msm": "mesmo", "mt": "muito", "mta": "muita", "mto": "muito",
    "mtos": "muitos", "n": "não", "ñ": "não", "nao": "não", "nd": "nada", "neh": "né", "ngm": "ninguém",
    "niver": "aniversário", "obg": "obrigado", "obgd": "obrigado", "oq": "o que", "p": "para", "pdc": "pode crer",
    "pf": "por favor", "pfv": "por favor", "pq": "por que", "pra": "para", "pras": "para as", "pro": "para o",
    "pros": "para os", "q": "que", "qd": "quando", "qdo": "quando", "ql": "qual", "qm": "quem", "qnd": "quando",
    "qnto": "quanto", "qro": "quero", "qria": "queria", "qto": "quanto", "qtos": "quantos", "qts": "quantos",
    "s": "sim", "sdd": "saudade", "sdds": "saudades", "smp": "sempre", "tb": "também", "tbm": "também", "td": "tudo",
    "tds": "todos", "ta": "está", "tá": "está", "tava": "estava", "tmj": "estamos juntos", "to": "estou",
    "tô": "estou", "tou": "estou", "vc": "você", "vcs": "vocês", "vdd": "verdade", "vlw": "valeu", "xau": "tchau",
}  # fmt: skip
_ENGLISH = {
    "2day": "today", "2moro": "tomorrow", "2nite": "tonight", "4": "for", "abt": "about", "asap": "soon",
    "atm": "at the moment", "b4": "before", "bc": "because", "bday": "birthday", "bf": "boyfriend", "brb": "back soon",
    "btw": "by the way", "coz": "because", "cuz": "because", "cya": "see you", "dunno": "do not know",
    "fav": "favourite", "fave": "favourite", "g2g": "got to go", "gf": "girlfriend", "gimme": "give me",
    "gm": "good morning", "gn": "good night", "gonna": "going to", "gotta": "got to", "gr8": "great",
    "gtg": "got to go", "hbu": "how about you", "idc": "I do not care", "idk": "I do not know", "ikr": "I know right",
    "ily": "I love you", "k": "ok", "l8r": "later", "lemme": "let me", "luv": "love", "msg": "message",
    "nite": "night", "np": "no problem", "nvm": "never mind", "omg": "oh my god", "ofc": "of course", "plz": "please",
    "pls": "please", "ppl": "people", "r": "are", "rly": "really", "rn": "right now", "smth": "something",
    "sry": "sorry", "sth": "something", "sup": "what's up", "tbh": "to be honest", "tdy": "today", "thx": "thanks",
    "tks": "thanks", "tmrw": "tomorrow", "tmr": "tomorrow", "tonite": "tonight", "ttyl": "talk to you later",
    "ty": "thank you", "tysm": "thank you so much", "u": "you", "ur": "your", "w8": "wait", "wanna": "want to",
    "wassup": "what's up", "wat": "what", "wbu": "what about you", "wdym": "what do you mean", "wut": "what",
    "wyd": "what are you doing", "y": "why", "ya": "you", "yday": "yesterday",
    "im": "I'm", "ive": "I've", "id": "I'd", "dont": "don't", "cant": "can't", "whats": "what's", "hows": "how's",
    "wheres": "where's", "whens": "when's", "whos": "who's", "thats": "that's", "theres": "there's", "youre": "you're",
}  # fmt: skip


def written_out(text: str, language: str) -> str:
    """The text with chat abbreviations as words; stretched ones too ("obggg"). Other languages than these two stay."""
    table = _PORTUGUESE if language.startswith("pt") else _ENGLISH if language.startswith("en") else {}

    def spelled(found: re.Match[str]) -> str:
        word = found.group().casefold()
        return table.get(word, table.get(_DOUBLED_END.sub(r"\1", word), found.group()))

    return _WORD.sub(spelled, text)
