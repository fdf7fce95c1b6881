"""Fills the slots of a script's reply: the time of day, the date, names. Pure; the clock is an argument."""

from __future__ import annotations

import re
import unicodedata
import zoneinfo
from datetime import UTC, datetime, tzinfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, get_timezone_location

from bot.persona_form import SLOTS
from bot.words import plain_words

_SLOT = re.compile(r"\{(\w+)\}")
_GREETINGS = {
    "pt": ("Bom dia", "Boa tarde", "Boa noite"),
    "en": ("Good morning", "Good afternoon", "Good evening"),
    "es": ("Buenos días", "Buenas tardes", "Buenas noches"),
    "fr": ("Bonjour", "Bonjour", "Bonsoir"),
    "it": ("Buongiorno", "Buon pomeriggio", "Buonasera"),
    "de": ("Guten Morgen", "Guten Tag", "Guten Abend"),
}
_MORNING_H, _NOON_H, _EVENING_H = 5, 12, 18


def first_name(profile_name: str | None) -> str | None:
    """What to call somebody: the first word of the profile name if it reads like a name, else None."""
    bare = "".join(
        char if unicodedata.category(char)[0] in "LM" or char in "'’-" else " " for char in profile_name or ""
    )
    word = next(iter(bare.split()), "").strip("'’-")
    if not 2 <= len(word) <= 20:
        return None
    return word.capitalize() if word.isupper() or word.islower() else word


def fill(template: str, values: dict[str, str]) -> str:
    """The reply with every known slot filled."""
    return _SLOT.sub(lambda match: values.get(match.group(1), match.group()), template)


def pattern_of(template: str) -> re.Pattern[str]:
    """Recognises a line that ends with this reply, whatever its slots were filled with."""
    parts = _SLOT.split(template)  # text, slot, text, …
    body = "".join(".{1,60}?" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    return re.compile(rf"(?:^|.*\s){body}\s*\Z", re.DOTALL)


def slot_values(
    *, language: str, persona_name: str, person_name: str | None, timezone: str, now_ms: int, said: str = ""
) -> dict[str, str]:
    """Every slot's value; `name` is missing where nobody knows it. Who `said` good night is wished the same."""
    zone = _zone(timezone)
    local = datetime.fromtimestamp(now_ms / 1000, tz=zone)
    locale = _locale(language)
    values = {
        "greeting": _greeting(locale.language, local.hour, said),
        "persona": persona_name,
        "time": _time(locale.language, local),
        "date": format_date(local.date(), format="long", locale=locale),
        "weekday": format_datetime(local, "EEEE", locale=locale),
        "place": get_timezone_location(timezone if zone is not UTC else "UTC", locale=locale, return_city=True),
    }
    called = first_name(person_name)
    if called:
        values["name"] = called
    return {name: value for name, value in values.items() if name in SLOTS}


def _zone(name: str) -> tzinfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def _locale(language: str) -> Locale:
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")


def _greeting(language: str, hour: int, said: str) -> str:
    greetings = morning, afternoon, evening = _GREETINGS.get(language, _GREETINGS["en"])
    words = plain_words(said)
    echoed = next((greeting for greeting in greetings if plain_words(greeting) in words), None)
    if echoed:
        return echoed
    if _MORNING_H <= hour < _NOON_H:
        return morning
    return afternoon if _NOON_H <= hour < _EVENING_H else evening


def _time(language: str, local: datetime) -> str:
    if language == "pt":
        return f"{local.hour}h{local.minute:02d}" if local.minute else f"{local.hour}h"
    if language == "en":
        return f"{local.hour % 12 or 12}:{local.minute:02d} {'AM' if local.hour < _NOON_H else 'PM'}"
    return f"{local.hour}:{local.minute:02d}"
