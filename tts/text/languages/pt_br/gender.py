"""Whether a Portuguese number agrees with a feminine noun: "duas mil pessoas", "vinte e uma casas", "dois dias".

No dictionary of nouns: endings decide, and the common exceptions are listed. Unknown words leave the number masculine,
which is also how Portuguese counts without a noun.
"""

from __future__ import annotations

import re
from typing import Final

from tts.text.languages.base import bag
from tts.text.numbers import Gender

_FEMININE_ENDING: Final = re.compile(
    r"(?:as|ãs|ções|sões|ssões|dades|tudes|gens|eses|vezes|ices|ezes|a|ã|ção|são|dade|tude|gem|vez)$"
)
_MASCULINE: Final = bag(
    """
    dia problema sistema tema programa mapa planeta clima drama poema idioma cinema diploma esquema dilema
    cometa sofá chá crachá pijama grama quilograma miligrama fantasma aroma sintoma diagrama telegrama emblema
    teorema panorama atleta colega guarda motorista dentista artista turista jornalista analista estagiário
    camarada ioga mama coração nota-fiscal personagem pãe irmão cidadão gás mês português inglês freguês chinês
    francês reais milhões bilhões xampu lápis ônibus pires vírus bônus tênis óculos plural trema carma estigma
    dálmata acrobata diplomata democrata burocrata magnata pirata astronauta internauta poeta profeta psicopata ginasta
    cineasta entusiasta vira-lata jesuíta eremita ciclista motociclista taxista surfista recepcionista cientista
    economista especialista pianista violonista guitarrista baterista desenhista roteirista colunista budista
    enigma lema dogma puma guaraná maracujá alvará patamá canadá pará
    """
)
_FEMININE: Final = bag(
    """
    noite tarde parte gente mulher cor flor luz voz paz nuvem ordem lei rede chave fase frase classe base sede
    fonte ponte carne série foto moto mão mãe pele colher torre vaga libra tese face peça crise árvore sílaba
    tribo ave nave greve febre lente corrente semente mente estante equipe etapa manhã maçã irmã avó pá xícara
    ação opção dor mensagem viagem imagem garagem vantagem porcentagem milhagem postagem hashtag selfie live
    playlist pizza startup sms nf rua aula hora diária
    """
)
_NO_NOUN: Final = bag(
    """
    para da na pela uma era seja fica está já lá cá mas ela essa esta minha nossa toda cada nada ainda agora das
    nas pelas elas essas estas duas minhas vamos temos somos mais menos depois antes apenas dessas aquelas às as
    a e ou é foi como com sem que por de do no em se não sim vira custa falta volta chega dura passa leva começa
    termina
    """
)
_BETWEEN: Final = bag(
    """
    mil grandes pequenas últimas primeiras próximas novas boas mais outras belas simples únicas possíveis lindas
    """
)
_CONNECTORS: Final = frozenset(["ou", "a", "e", "até", "por"])
_FEMININE_BEFORE: Final = re.compile(
    r"(?<!\w)(?:as|às|das|nas|pelas|essas|estas|aquelas|nessas|nestas|dessas|destas|minhas|suas|nossas|tuas|outras|todas|"
    r"umas|últimas|próximas|primeiras)\s+$",
    re.IGNORECASE,
)


def gender_of(number: int, before: str, after: str) -> Gender:
    """The gender `number` takes between the texts `before` and `after`, both as yet unexpanded."""
    if number > 1 and _FEMININE_BEFORE.search(before[-24:]):
        return Gender.FEMININE
    words = re.findall(r"\d+|[^\W\d_]+(?:-[^\W\d_]+)*|[^\w\s]", after[:80])
    for place, word in enumerate(words[:6]):
        follower = words[place + 1] if place + 1 < len(words) else ""
        lowered = word.lower()
        if word.isdigit() or lowered in _BETWEEN or (lowered in _CONNECTORS and follower.isdigit()):
            continue
        return Gender.FEMININE if is_feminine(lowered, plural=number % 100 != 1) else Gender.MASCULINE
    return Gender.MASCULINE


def is_feminine(noun: str, *, plural: bool) -> bool:
    """Whether a noun is feminine by list or ending; a noun that should be plural and is not, is no noun at all."""
    if noun in _NO_NOUN or (plural and not noun.endswith("s")):
        return False
    singular = _singular(noun)
    if noun in _MASCULINE or singular in _MASCULINE:
        return False
    return noun in _FEMININE or singular in _FEMININE or _FEMININE_ENDING.search(noun) is not None


def _singular(noun: str) -> str:
    for plural, one in (
        ("ões", "ão"),
        ("ãos", "ão"),
        ("gens", "gem"),
        ("ns", "m"),
        ("res", "r"),
        ("zes", "z"),
        ("ses", "s"),
    ):
        if noun.endswith(plural):
            return noun.removesuffix(plural) + one
    return noun.removesuffix("s")
