"""The states of Brazil by their two letters: "em SP" is "em São Paulo", "Natal/RN" is "Natal, Rio Grande do Norte"."""

from __future__ import annotations

from typing import Final

from tts.text.rules import any_of, rule

STATES: Final = {
    "AC": "Acre", "AL": "Alagoas", "AP": "Amapá", "AM": "Amazonas", "BA": "Bahia", "CE": "Ceará",
    "ES": "Espírito Santo", "GO": "Goiás", "MA": "Maranhão", "MT": "Mato Grosso", "MS": "Mato Grosso do Sul",
    "MG": "Minas Gerais", "PA": "Pará", "PB": "Paraíba", "PR": "Paraná", "PE": "Pernambuco", "PI": "Piauí",
    "RJ": "Rio de Janeiro", "RN": "Rio Grande do Norte", "RS": "Rio Grande do Sul", "RO": "Rondônia", "RR": "Roraima",
    "SC": "Santa Catarina", "SP": "São Paulo", "SE": "Sergipe", "TO": "Tocantins",
}  # fmt: skip
_STATE: Final = any_of(STATES)

# only after a word of place or the name of a town: alone, two capitals may stand for anything
PLACES: Final = (
    rule(
        "in_state",
        rf"(?<!\w)([Ee]m|[Dd]e|[DdNn][oa]|[Pp]ara|[Pp]elo|[Aa]té|entre|[Ee]stado de)\s({_STATE})(?![\w/&+-])",
        lambda m: f"{m[1]} {STATES[m[2]]}",
        ignore_case=False,
    ),
    rule(
        "town_and_state",
        rf"(?<=[a-zà-ÿ])\s?[-–/,(]\s?({_STATE})(?![\w/&+-])",
        lambda m: f", {STATES[m[1]]}",
        ignore_case=False,
    ),
)
