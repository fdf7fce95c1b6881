"""What a listener hears for the short written forms that are easily taken for another kind."""

from __future__ import annotations

import sys
from types import FrameType

import pytest

from tts.text import plan_utterance
from tts.text.rules import rule, text_after, text_before

DATES = [
    (
        "pt-BR",
        "Python 3.10.12 e Django 4.2.11",
        "Python três ponto dez ponto doze e Django quatro ponto dois ponto onze.",
    ),
    (
        "en",
        "Python 3.10.12 and Django 4.2.11",
        "Python three point ten point twelve and Django four point two point eleven.",
    ),
    ("pt-BR", "2024/03/15", "Quinze de março de dois mil e vinte e quatro."),
    ("pt-BR", "2024.03.15", "Quinze de março de dois mil e vinte e quatro."),
    ("pt-BR", "03/15/2024", "Quinze de março de dois mil e vinte e quatro."),
    ("pt-BR", "2024-3-5", "Cinco de março de dois mil e vinte e quatro."),
    ("en", "2024/03/15", "March fifteenth, twenty twenty-four."),
    ("en", "2024.03.15", "March fifteenth, twenty twenty-four."),
    ("en", "2024-3-5", "March fifth, twenty twenty-four."),
    ("pt-BR", "em 05.03.26", "Em cinco de março de dois mil e vinte e seis."),
    ("en", "25 Dec 2024", "The twenty-fifth of December, twenty twenty-four."),
    ("en", "Nov 5", "November fifth."),
    ("pt-BR", "5 nov 2020", "Cinco de novembro de dois mil e vinte."),
    ("pt-BR", "jan/24", "Janeiro de dois mil e vinte e quatro."),
    ("pt-BR", "mar. 2023", "Março de dois mil e vinte e três."),
    ("en", "Jan/24", "January twenty twenty-four."),
    ("en", "Mar. 2023", "March twenty twenty-three."),
    ("pt-BR", "25/dez/2024", "Vinte e cinco de dezembro de dois mil e vinte e quatro."),
    ("en", "25-Dec-2024", "The twenty-fifth of December, twenty twenty-four."),
    ("pt-BR", "jan-mar", "Janeiro a março."),
    ("en", "Jan-Mar", "January to March."),
    ("pt-BR", "o mar 2 é azul", "O mar dois é azul."),
    ("en", "expires 12/24", "Expires December twenty-fourth."),
    ("en", "due on 12/24", "Due on December twenty-fourth."),
    ("en", "12/24", "Twelve slash twenty-four."),
    ("en", "in Dec", "In December."),
    ("pt-BR", "2024-03-15T14:30:00Z", "Quinze de março de dois mil e vinte e quatro às quatorze e trinta."),
    ("en", "2024-03-15T14:30:00Z", "March fifteenth, twenty twenty-four at fourteen thirty."),
]
SIGNS = [
    ("pt-BR", "~10 min, ~R$ 50, ~30%", "Cerca de dez minutos, cerca de cinquenta reais, cerca de trinta por cento."),
    ("en", "~10 min, ~$50, ~30%", "About ten minutes, about fifty dollars, about thirty percent."),
    ("pt-BR", ">R$ 10 e <10%", "Mais de dez reais e menos de dez por cento."),
    ("en", ">$10 and <10%", "More than ten dollars and less than ten percent."),
    ("pt-BR", ">= 18 anos", "Pelo menos dezoito anos."),
    ("en", ">= 18", "At least eighteen."),
    ("pt-BR", "idade > 18", "Idade maior que dezoito."),
    ("pt-BR", "20~30 segundos", "Vinte a trinta segundos."),
    ("en", "20~30 seconds", "Twenty to thirty seconds."),
    ("pt-BR", "R$ 10~20", "Dez a vinte reais."),
    ("pt-BR", "5-3=2", "Cinco menos três igual a dois."),
    ("en", "5-3=2", "Five minus three equals two."),
    ("en", "what is 8-3?", "What is eight minus three?"),
    ("pt-BR", "placar 5-3", "Placar cinco a três."),
    ("pt-BR", "Av. Paulista, 2232 - 4º andar", "Avenida Paulista, dois mil duzentos e trinta e dois, quarto andar."),
    ("en", "2232 - 4th floor", "Two thousand two hundred thirty-two, fourth floor."),
    ("pt-BR", ".5 e ,5", "Zero vírgula cinco e zero vírgula cinco."),
    ("en", ".5 and ,5", "Zero point five and zero point five."),
    ("en", "$.50", "Fifty cents."),
    ("pt-BR", "x^2, x⁴ e 1e-5", "X ao quadrado, x elevado a quatro e um vezes dez elevado a menos cinco."),
    ("en", "x^2, x⁴ and 1e-5", "X squared, x to the power of four and one times ten to the minus five."),
    ("pt-BR", "⑩⑪", "Dez onze."),
]
CLOCK = [
    ("pt-BR", "1:02:03", "Uma hora, dois minutos e três segundos."),
    ("en", "1:02:03", "One hour, two minutes and three seconds."),
    ("pt-BR", "às 14:30:05", "Às quatorze horas, trinta minutos e cinco segundos."),
    ("en", "at 14:30:05", "At fourteen thirty and five seconds."),
    ("en", "2:30:05 pm", "Two thirty PM and five seconds."),
    ("pt-BR", "10 a.m.", "Dez da manhã."),
    ("pt-BR", "10:30 pm", "Dez e trinta da noite."),
    ("pt-BR", "12pm", "Meio-dia."),
    ("en", "10 a.m.", "Ten AM."),
]
NAMES = [
    ("pt-BR", "apto 12A", "Apartamento doze A."),
    ("pt-BR", "fusível 10A", "Fusível dez amperes."),
    ("pt-BR", "GPT-4o", "GPT quatro o."),
    ("pt-BR", "Pixel 8a", "Pixel oito a."),
    ("pt-BR", "a 2a vez e o 1o colocado", "A segunda vez e o primeiro colocado."),
    (
        "pt-BR",
        "ISBN 978-85-359-0277-5",
        "ISBN nove sete oito, oito cinco, três cinco nove, zero dois sete sete, cinco.",
    ),
    ("en", "ISBN 978-3-16-148410-0", "ISBN nine seven eight, three, one six, one four eight four one zero, zero."),
    ("en", "020 7946 0958", "Zero two zero, seven nine four six, zero nine five eight."),
    ("pt-BR", "tel. 3222 555", "Telefone três dois dois dois, cinco cinco cinco."),
    ("en", "call 1-800-FLOWERS", "Call one, eight zero zero, FLOWERS."),
    ("pt-BR", "#48213", "Número quatro oito dois um três."),
    ("en", "#48213", "Number four eight two one three."),
    ("en", "call 911", "Call nine one one."),
    ("en", "the 911 operator", "The nine one one operator."),
    ("pt-BR", "ligue 190", "Ligue um nove zero."),
    ("pt-BR", "SAMU (192)", "SAMU, um nove dois."),
    ("pt-BR", "ligue 100 vezes", "Ligue cem vezes."),
    ("en", "call 100 people", "Call one hundred people."),
]
UNITS = [
    (
        "pt-BR",
        "90 mg/dL, 9,8 m/s²",
        "Noventa miligramas por decilitro, nove vírgula oito metros por segundo ao quadrado.",
    ),
    (
        "pt-BR",
        "3 m³/s, 8 L/100 km, em km/h",
        "Três metros cúbicos por segundo, oito litros por cem quilômetros, em quilômetros por hora.",
    ),
    (
        "en",
        "90 mg/dL, 9.8 m/s², 1 g/cm³",
        "Ninety milligrams per deciliter, nine point eight meters per second squared, one gram per cubic centimeter.",
    ),
    (
        "en",
        "3 m³/s, 8 L/100 km, in km/h",
        "Three cubic meters per second, eight liters per one hundred kilometers, in kilometers per hour.",
    ),
    ("pt-BR", "70-99 mg/dL", "Setenta a noventa e nove miligramas por decilitro."),
    ("en", "GB/TB", "GB or TB."),
    ("pt-BR", "1kk e R$ 5kk", "Um milhão e cinco milhões de reais."),
    ("en", "1kk and $5kk", "One million and five million dollars."),
    ("pt-BR", "₹1,00,000", "Cem mil rupias."),
    ("en", "₹1,00,000", "One hundred thousand rupees."),
    (
        "en",
        "₹12,34,567.50",
        "One million two hundred thirty-four thousand five hundred sixty-seven rupees and fifty paise.",
    ),
]
ADDRESSES = [
    ("pt-BR", "Paris é a capital[1], diz[2][3].", "Paris é a capital, diz."),
    ("en", "Paris is the capital[1], it says [2][3].", "Paris is the capital, it says."),
    ("pt-BR", "intervalo [0, 10]", "Intervalo, zero, dez."),
    ("pt-BR", "veja youtu.be/abc agora", "Veja youtu ponto be agora."),
    ("en", "see youtu.be/abc now", "See youtu dot be now."),
    (
        "pt-BR",
        "abra report.pdf e Node.js e .NET em /etc/passwd",
        "Abra report ponto PDF e Node ponto JS e ponto NET em barra etcétera barra passwd.",
    ),
    (
        "en",
        "open report.pdf and Node.js and .NET in /etc/passwd",
        "Open report dot PDF and Node dot JS and dot NET in slash et cetera slash passwd.",
    ),
    ("en", "src/app.py", "Src slash app dot PY."),
]
SHORT_FORMS = [
    (
        "pt-BR",
        "Petrobras S.A. e Vale S/A, rua X, s/n, n. 5",
        "Petrobras ésse á e Vale ésse á, rua X, sem número, número cinco.",
    ),
    ("pt-BR", "1.º lugar e 1a. vez", "Primeiro lugar e primeira vez."),
    ("pt-BR", "E.U.A. e N.A.S.A.", "Estados Unidos e NASA."),
    ("en", "F.B.I. and N.A.S.A.", "FBI and NASA."),
    ("en", "friend(s) and class(es)", "Friends and classes."),
    ("pt-BR", "amigo(s) e professor(a)", "Amigos e professor ou professora."),
    ("pt-BR", "Profª. Ana", "Professora Ana."),
    ("pt-BR", "S. Paulo", "São Paulo."),
    ("en", "on Elm Dr. near", "On Elm Drive near."),
    ("en", "met Dr. Lee", "Met Doctor Lee."),
    ("pt-BR", "km 45", "Quilômetro quarenta e cinco."),
    ("en", "km 45", "Kilometer forty-five."),
    ("pt-BR", "c vc", "Com você."),
    ("pt-BR", "101 dálmatas", "Cento e um dálmatas."),
    ("pt-BR", "32°C em SP", "Trinta e dois graus Celsius em São Paulo."),
    ("pt-BR", "Campinas/SP", "Campinas, São Paulo."),
    ("en", "90°F in TX", "Ninety degrees Fahrenheit in Texas."),
    ("en", "Austin, TX", "Austin, Texas."),
    ("en", "Yes, OK", "Yes, OK."),
    ("pt-BR", "C#", "Cê charp."),
    ("en", "C#", "C sharp."),
]
CASES = [*DATES, *SIGNS, *CLOCK, *NAMES, *UNITS, *ADDRESSES, *SHORT_FORMS]


@pytest.mark.parametrize(("language", "written", "spoken"), CASES, ids=[f"{tag}: {text}" for tag, text, _ in CASES])
def test_a_listener_hears_what_was_meant(language: str, written: str, spoken: str) -> None:
    assert plan_utterance(written, language=language).spoken_text == spoken


@pytest.mark.parametrize("language", ["pt-BR", "en"])
def test_digits_past_what_python_converts_are_no_crash(language: str) -> None:
    assert plan_utterance("⑩" * 4096, language=language).segments


def test_a_rule_sees_no_more_than_eighty_characters_around_its_match() -> None:
    seen: list[int] = []
    watching = rule("watch", r"1", lambda m: str(seen.append(len(text_before(m)) + len(text_after(m)))))
    watching.apply("a1" * 2000)
    assert max(seen) == 160


def _calls(text: str, language: str) -> int:
    """How many calls planning makes, Python's and C's."""
    made = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal made
        made += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        plan_utterance(text, language=language)
    finally:
        sys.setprofile(None)
    return made


@pytest.mark.parametrize("language", ["pt-BR", "en"])
@pytest.mark.parametrize("fragment", ["½", "a?!", "1/2 ", "A. ", "12/24 ", "1.1.1 ", "kk ", "14h30 "])
def test_four_times_the_text_takes_four_times_the_calls(language: str, fragment: str) -> None:
    plan_utterance(fragment, language=language)  # what is built once
    few, many = (_calls(fragment * (size // len(fragment)), language) for size in (250, 1000))
    assert many <= 5 * few
