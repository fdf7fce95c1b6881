from __future__ import annotations

import pytest

from bot.replies.slots import fill, first_name, pattern_of, slot_values

NOON_UTC_MS = 1_795_262_400_000  # Saturday 21 November 2026


@pytest.mark.parametrize(
    ("profile", "name"),
    [
        ("Ana Maria", "Ana"),
        ("ANA", "Ana"),
        ("joão silva", "João"),
        ("🔥 Léo 🔥", "Léo"),
        ("Mary-Jane", "Mary-Jane"),
        ("X", None),
        ("12345", None),
        ("🌸", None),
        ("", None),
        (None, None),
        ("A" * 40, None),
    ],
)
def test_a_profile_name_gives_a_first_name_or_none(profile: str | None, name: str | None) -> None:
    assert first_name(profile) == name


@pytest.mark.parametrize(
    ("hours", "greeting"), [(-1, "Bom dia"), (4, "Boa tarde"), (10, "Boa noite"), (-5, "Boa noite"), (-4, "Bom dia")]
)
def test_the_greeting_follows_the_local_hour(hours: int, greeting: str) -> None:
    values = slot_values(
        language="pt-BR",
        persona_name="Nina",
        person_name=None,
        timezone="America/Sao_Paulo",
        now_ms=NOON_UTC_MS + hours * 3_600_000,
    )
    assert values["greeting"] == greeting


def test_an_unknown_zone_or_language_still_tells_the_time() -> None:
    values = slot_values(language="xx", persona_name="P", person_name=None, timezone="Mars", now_ms=NOON_UTC_MS)
    assert (values["time"], values["place"]) == ("12:00 PM", "UTC")


def test_a_reply_is_recognised_whatever_filled_it_and_whatever_stood_before() -> None:
    template = "It is {time} in {place}."
    line = "Hello there! " + fill(template, {"time": "3:15 PM", "place": "São Paulo"})
    assert pattern_of(template).match(line)
    assert not pattern_of(template).match("It is late.")
