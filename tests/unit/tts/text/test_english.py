"""What an English listener hears for what a chat reply writes."""

from __future__ import annotations

import pytest

from tts.text import plan_utterance

NUMBERS = [
    ("21 houses and 2,000 people", "Twenty-one houses and two thousand people."),
    ("1,234,567", "One million two hundred thirty-four thousand five hundred sixty-seven."),
    ("1.5 and 0.05", "One point five and zero point zero five."),
    ("version 2.5.1", "Version two point five point one."),
    ("it is -5 today", "It is minus five today."),
    ("1st, 2nd, 3rd and 21st", "First, second, third and twenty-first."),
    ("1/2 cup, 2/3 cup", "One half cup, two thirds cup."),
    ("1 1/2 tbsp", "One and a half tablespoons."),
    ("8/10", "Eight out of ten."),
    ("10-12 people", "Ten to twelve people."),
    ("3 + 2 = 5", "Three plus two equals five."),
    ("#1 and No. 5", "Number one and Number five."),
    ("Chapter IV, Part II", "Chapter four, Part two."),
    ("Henry VIII and World War II", "Henry the eighth and World War two."),
    ("R2D2, A4, 5G", "R two D two, A four, five G."),
    ("3x faster at 1920x1080", "Three times faster at nineteen twenty by ten eighty."),
    ("6'2\" tall", "Six foot two tall."),
    ("100+ users, ~10 left", "One hundred or more users, about ten left."),
    ("2²", "Two squared."),
    ("½ mile", "One half mile."),
]

MONEY = [
    ("$1,234.56", "One thousand two hundred thirty-four dollars and fifty-six cents."),
    ("$1", "One dollar."),
    ("$0.99", "Ninety-nine cents."),
    ("$5M and $5 million", "Five million dollars and five million dollars."),
    ("$50k", "Fifty thousand dollars."),
    ("$5-10", "Five to ten dollars."),
    ("$10/month", "Ten dollars per month."),
    ("£2, €1 and R$ 10", "Two pounds, one euro and ten reais."),
    ("-$5", "Minus five dollars."),
    ("50% off", "Fifty percent off."),
]

TIME = [
    ("on 3/5", "On March fifth."),
    ("03/05/2026", "March fifth, twenty twenty-six."),
    ("2026-03-05", "March fifth, twenty twenty-six."),
    ("March 5, 2026", "March fifth, twenty twenty-six."),
    ("May 1st", "May first."),
    ("5 March", "The fifth of March."),
    ("in 2026", "In twenty twenty-six."),
    ("in 1905", "In nineteen oh-five."),
    ("2000 people in 2005", "Two thousand people in two thousand five."),
    ("the 1990s and '80s", "The nineteen nineties and eighties."),
    ("1999-2005", "Nineteen ninety-nine to two thousand five."),
    ("at 2:30 pm", "At two thirty PM."),
    ("at 2pm", "At two PM."),
    ("at 10 a.m. Come", "At ten AM. Come."),
    ("at 9:00", "At nine o'clock."),
    ("at 9:05", "At nine oh five."),
    ("wait 30s", "Wait thirty seconds."),
    ("Tue, Oct. 21, at 5 PM", "Tuesday, October twenty-first, at five PM."),
    ("2h15m", "Two hours fifteen minutes."),
    ("at 14:30", "At fourteen thirty."),
    ("9am-5pm, Mon-Fri", "Nine AM to five PM, Monday to Friday."),
    ("open 24/7", "Open twenty-four seven."),
]

NAMES = [
    ("(415) 555-2671", "Four one five, five five five, two six seven one."),
    ("555-1234", "Five five five, one two three four."),
    ("+44 20 7946 0958", "Plus four four, two zero, seven nine four six, zero nine five eight."),
    ("the code is 482913", "The code is four eight two nine one three."),
    ("order #12345", "Order number one two three four five."),
    ("hi@recado.com", "Hi at recado dot com."),
    ("see https://recado.com/x", "See recado dot com."),
    ("follow @recado and #HelloWorld", "Follow at recado and hashtag Hello World."),
]

UNITS = [
    ("-12.5%", "Minus twelve point five percent."),
    ("9,833,520 km²", "Nine million eight hundred thirty-three thousand five hundred twenty square kilometers."),
    ("30 km/h", "Thirty kilometers per hour."),
    ("1 kg and 2kg", "One kilogram and two kilograms."),
    ("25°C and 77°F", "Twenty-five degrees Celsius and seventy-seven degrees Fahrenheit."),
    ("150 lbs, 6 ft", "One hundred fifty pounds, six feet."),
    ("70 m²", "Seventy square meters."),
    ("16 GB", "Sixteen gigabytes."),
    ("28 min 30 s", "Twenty-eight minutes thirty seconds."),
]

SHORT_FORMS = [
    ("Mr. and Mrs. Lee met Dr. Ray", "Mister and Missus Lee met Doctor Ray."),
    ("on Main St. near St. Mary", "On Main Street near Saint Mary."),
    ("e.g. tea, coffee etc.", "For example tea, coffee et cetera."),
    ("cats vs. dogs, i.e. war", "Cats versus dogs, that is war."),
    ("btw idk, tbh", "By the way I don't know, to be honest."),
    ("how r u? ty", "How are you? Thank you."),
    ("w/o sugar & w/ milk", "Without sugar and with milk."),
    ("he/she and/or they", "He or she and or they."),
    ("approx. 5", "Approximately five."),
]

CHAT = [
    ("hahaha nice", "Ha ha ha, nice."),
    ("that's funny lol", "That's funny, ha ha ha."),
    ("*laughs* Good one!", "Ha ha ha. Good one!"),
    ("*smiles warmly* Hi!", "Hi!"),
    ("this is *very* good", "This is very good."),
    ("soooo gooood", "So good."),
    ("Hi 👋🏽 there <3", "Hi there."),
    ("# Title\n\nText", "Title. Text."),
    ("1. Open\n2. Close", "One, Open. Two, Close."),
    ("well-known; don't worry", "Well-known; don't worry."),
    ("wait... what?!", "Wait… what?"),
    ("<think>secret plan</think>Hello", "Hello."),
    ('Tom said "hi" (twice)', "Tom said hi, twice."),
]  # fmt: skip

CASES = [*NUMBERS, *MONEY, *TIME, *NAMES, *UNITS, *SHORT_FORMS, *CHAT]


@pytest.mark.parametrize(("written", "spoken"), CASES, ids=[written for written, _ in CASES])
def test_an_english_listener_hears_the_words(written: str, spoken: str) -> None:
    assert plan_utterance(written, language="en").spoken_text == spoken
