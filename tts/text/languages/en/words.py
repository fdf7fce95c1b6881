"""English as tables: how short forms, units, money and signs are said. Data only."""

from __future__ import annotations

from typing import Final, NamedTuple

from tts.text.languages.base import bag

DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
MONTHS_SHORT: Final = {name[:3].lower(): name for name in MONTHS} | {"sept": "September"}

TITLES: Final = {
    "mr.": "mister", "mrs.": "missus", "ms.": "miss", "dr.": "doctor", "prof.": "professor", "jr.": "junior",
    "sr.": "senior", "mr": "mister", "mrs": "missus", "dr": "doctor", "e.g.": "for example", "i.e.": "that is",
    "eg.": "for example", "ie.": "that is", "eg": "for example", "vs.": "versus", "vs": "versus",
    "approx.": "approximately", "dept.": "department", "blvd.": "boulevard", "ave.": "avenue", "rd.": "road",
    "apt.": "apartment", "ltd.": "limited", "p.s.": "P S", "ps.": "P S", "w/": "with", "w/o": "without",
    "b/c": "because", "and/or": "and or", "n/a": "not applicable", "a.m.": "AM", "p.m.": "PM", "u.s.": "US",
    "u.s.a.": "USA", "u.k.": "UK", "misc.": "miscellaneous", "ca.": "circa", "bldg.": "building",
    "ln.": "lane", "hwy.": "highway", "pkwy.": "parkway",
}  # fmt: skip
SPELLINGS: Final = {"c#": "C sharp", "f#": "F sharp", "c++": "C plus plus", "e.u.a.": "USA"}

# these are words or names of their own, and short forms only before a number
BEFORE_NUMBER: Final = {
    "no.": "number", "nr.": "number", "vol.": "volume", "ch.": "chapter", "fig.": "figure", "ext.": "extension",
    "max.": "maximum", "min.": "minimum", "est.": "established", "tel.": "telephone", "p.": "page", "pp.": "pages",
    "art.": "article", "n.": "number", "sec.": "section",
}  # fmt: skip

CHAT: Final = {
    "btw": "by the way", "idk": "I don't know", "brb": "be right back", "imo": "in my opinion",
    "imho": "in my humble opinion", "tbh": "to be honest", "omg": "oh my god", "thx": "thanks", "tnx": "thanks",
    "ty": "thank you", "tysm": "thank you so much", "pls": "please", "plz": "please", "ur": "your",
    "np": "no problem", "yw": "you're welcome", "fyi": "for your information", "ttyl": "talk to you later",
    "gr8": "great", "b4": "before", "l8r": "later", "2day": "today", "2nite": "tonight", "m8": "mate", "bc": "because",
    "cuz": "because", "ppl": "people", "msg": "message", "msgs": "messages", "tmrw": "tomorrow", "tmr": "tomorrow",
    "rn": "right now", "nvm": "never mind", "ikr": "I know, right", "afaik": "as far as I know", "ofc": "of course",
    "jk": "just kidding", "cya": "see you", "hbu": "how about you", "wbu": "what about you", "gn": "good night",
    "gm": "good morning", "ily": "I love you", "abt": "about", "bday": "birthday", "dunno": "don't know",
    "smth": "something", "sth": "something", "tho": "though", "thru": "through", "wdym": "what do you mean",
    "irl": "in real life", "dm": "D M", "eta": "E T A", "tba": "to be announced", "tbd": "to be decided",
    "tl;dr": "in short", "wrt": "with regard to", "qty": "quantity",
}  # fmt: skip


SMALL_LETTERS: Final = {"u": "you", "r": "are", "k": "okay"}
WEEKDAYS: Final = {
    "mon": "Monday", "tue": "Tuesday", "tues": "Tuesday", "wed": "Wednesday", "thu": "Thursday", "thur": "Thursday",
    "thurs": "Thursday", "fri": "Friday", "sat": "Saturday", "sun": "Sunday",
}  # fmt: skip


class Unit(NamedTuple):
    """How one and several of a unit are called."""

    one: str
    many: str


def _regular(**names: str) -> dict[str, Unit]:
    return {symbol: Unit(name, f"{name}s") for symbol, name in names.items()}


UNITS: Final = _regular(
    km="kilometer", kms="kilometer", m="meter", cm="centimeter", mm="millimeter", mi="mile", yd="yard", kg="kilogram",
    kgs="kilogram", g="gram", mg="milligram", mcg="microgram", t="ton", lb="pound", lbs="pound", oz="ounce",
    ml="milliliter",
    l="liter", gal="gallon", gb="gigabyte", mb="megabyte", kb="kilobyte", tb="terabyte", min="minute", mins="minute",
    s="second", sec="second", secs="second", ms="millisecond", h="hour", hr="hour", hrs="hour", w="watt", kw="kilowatt",
    kwh="kilowatt hour", v="volt", kcal="kilocalorie", cal="calorie", ha="hectare", tbsp="tablespoon", tsp="teaspoon",
) | {
    "km/h": Unit("kilometer per hour", "kilometers per hour"), "kph": Unit("kilometer per hour", "kilometers per hour"),
    "mph": Unit("mile per hour", "miles per hour"), "m/s": Unit("meter per second", "meters per second"),
    "mbps": Unit("megabit per second", "megabits per second"),
    "gbps": Unit("gigabit per second", "gigabits per second"),
    "m²": Unit("square meter", "square meters"), "m2": Unit("square meter", "square meters"),
    "km²": Unit("square kilometer", "square kilometers"), "cm²": Unit("square centimeter", "square centimeters"),
    "sq ft": Unit("square foot", "square feet"), "ft²": Unit("square foot", "square feet"),
    "m³": Unit("cubic meter", "cubic meters"),
    "ft": Unit("foot", "feet"), "hz": Unit("hertz", "hertz"), "mhz": Unit("megahertz", "megahertz"),
    "ghz": Unit("gigahertz", "gigahertz"), "%": Unit("percent", "percent"), "°": Unit("degree", "degrees"),
    "°c": Unit("degree Celsius", "degrees Celsius"), "ºc": Unit("degree Celsius", "degrees Celsius"),
    "°f": Unit("degree Fahrenheit", "degrees Fahrenheit"), "ºf": Unit("degree Fahrenheit", "degrees Fahrenheit"),
    "º": Unit("degree", "degrees"),
}  # fmt: skip

# these are units only beside a stroke: "mmol/L", "W/m²"
UNITS_OF_COMPOUNDS: Final = _regular(
    dl="deciliter", µg="microgram", mol="mole", mmol="millimole", meq="milliequivalent", iu="international unit",
    kj="kilojoule", j="joule", n="newton", cm3="cubic centimeter",
) | {
    "μg": Unit("microgram", "micrograms"), "s²": Unit("second squared", "seconds squared"),
    "cm³": Unit("cubic centimeter", "cubic centimeters"), "m3": Unit("cubic meter", "cubic meters"),
    "mmhg": Unit("millimeter of mercury", "millimeters of mercury"),
}  # fmt: skip


FULL_MARKS: Final = frozenset({5, 10, 20, 50, 100})
PARTS: Final = {2: "half", 3: "third", 4: "quarter"}


class Currency(NamedTuple):
    """A currency's unit and hundredth, one and many."""

    one: str
    many: str
    cent: str = "cent"
    cents: str = "cents"


_DOLLAR, _EURO, _POUND = (
    Currency("dollar", "dollars"),
    Currency("euro", "euros"),
    Currency("pound", "pounds", "penny", "pence"),
)
_REAL = Currency("real", "reais", "centavo", "centavos")
CURRENCIES: Final = {
    "$": _DOLLAR, "us$": _DOLLAR, "usd": _DOLLAR, "r$": _REAL, "brl": _REAL, "€": _EURO, "eur": _EURO, "£": _POUND,
    "gbp": _POUND, "¥": Currency("yen", "yen"), "₹": Currency("rupee", "rupees", "paisa", "paise"),
    "c$": Currency("Canadian dollar", "Canadian dollars"), "a$": Currency("Australian dollar", "Australian dollars"),
}  # fmt: skip

PER: Final = {
    "month": "month", "mo": "month", "day": "day", "year": "year", "yr": "year", "hour": "hour", "hr": "hour",
    "h": "hour", "week": "week", "wk": "week", "night": "night", "person": "person", "kg": "kilogram", "lb": "pound",
    "unit": "unit", "min": "minute", "minute": "minute", "mi": "mile", "mile": "mile", "gal": "gallon", "user": "user",
    "sq ft": "square foot", "m²": "square meter", "each": "each",
}  # fmt: skip

SYMBOLS: Final = {
    "&": "and", "@": "at", "%": "percent", "+": "plus", "=": "equals", "°": "degrees", "§": "section", "≈": "about",
    "≤": "at most", "≥": "at least", "≠": "is not", "±": "plus or minus", "×": "times", "÷": "divided by",
    "€": "euros", "£": "pounds", "$": "dollars", "µ": "micro", "π": "pi", "√": "root of", "∞": "infinity", "Ω": "ohms",
    "#": "number", "©": "", "®": "", "™": "", "¢": "cents", "º": "", "ª": "",
}  # fmt: skip

KINGS: Final = bag(
    """
    Henry Elizabeth Louis Charles George Edward William James Richard Philip Paul Pius Gregory Leo Benedict
    Francis Alexander Nicholas Catherine Peter Pedro Frederick Mary Napoleon King Queen Pope
    """
)
