from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bot.commands import Command, CommandKind
from bot.conversation import RecentTurn
from bot.policy import (
    Answer,
    Decision,
    Facts,
    Limits,
    Notice,
    NoticeKind,
    Pause,
    PauseReason,
    Silent,
    SilentReason,
    country_of,
    decide,
    fingerprint,
    timezone_of,
)

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
PLAIN = Facts(
    now_ms=NOW_MS,
    turn_at_ms=NOW_MS - 2000,
    newest_inbound_ms=NOW_MS - 2000,
    phone="5511987654321",
    opted_out=False,
    in_minute=1,
    in_day=1,
    fingerprint="tudo bem com voce hoje",
)


def decided(limits: Limits | None = None, **facts: Any) -> Decision:
    return decide(dataclasses.replace(PLAIN, **facts), limits or Limits())


def command(kind: CommandKind) -> Command:
    return Command(kind=kind)


def turns(*texts: str, apart_ms: int = 5000) -> tuple[RecentTurn, ...]:
    count = len(texts)
    return tuple(
        RecentTurn(at_ms=NOW_MS - (count - index) * apart_ms, fingerprint=text) for index, text in enumerate(texts)
    )


def different(count: int, *, apart_ms: int = 5000) -> tuple[RecentTurn, ...]:
    return turns(*(chr(97 + index) * 20 for index in range(count)), apart_ms=apart_ms)


def test_an_ordinary_turn_is_answered() -> None:
    assert decided() == Answer()


@pytest.mark.parametrize("kind", [None, *(kind for kind in CommandKind if kind is not CommandKind.START)])
def test_nothing_but_start_wakes_the_bot_after_an_opt_out(kind: CommandKind | None) -> None:
    asked = command(kind) if kind else None
    assert decided(opted_out=True, command=asked) == Silent(reason=SilentReason.OPTED_OUT)


def test_start_wakes_the_bot_after_an_opt_out() -> None:
    assert decided(opted_out=True, command=command(CommandKind.START)) == Answer()


@pytest.mark.parametrize(
    ("countries", "phone", "answered"),
    [
        (frozenset(), "4915112345678", True),
        (frozenset({"BR"}), "5511987654321", True),
        (frozenset({"BR"}), "551187654321", True),
        (frozenset({"BR"}), "4915112345678", False),
        (frozenset({"US"}), "15550001111", True),
        (frozenset({"US"}), "16135550123", False),
        (frozenset({"BR"}), "not a number", False),
    ],
)
def test_only_allowed_countries_are_answered(countries: frozenset[str], phone: str, *, answered: bool) -> None:
    found = decided(Limits(allowed_countries=countries), phone=phone)
    assert found == (Answer() if answered else Silent(reason=SilentReason.COUNTRY))


@pytest.mark.parametrize("allowed", [True, False])
def test_a_setting_decides_about_people_without_a_number(*, allowed: bool) -> None:
    found = decided(Limits(allowed_countries=frozenset({"BR"}), allow_unknown_country=allowed), phone=None)
    assert isinstance(found, Answer) is allowed


@pytest.mark.parametrize(
    ("phone", "country"),
    [("5511987654321", "BR"), ("+5511987654321", "BR"), ("16135550123", "CA"), ("77011234567", "KZ"), (None, None)],
)
def test_a_number_tells_its_country(phone: str | None, country: str | None) -> None:
    assert country_of(phone) == country


def test_the_window_runs_from_the_newest_message_of_the_conversation() -> None:
    old_turn = decided(turn_at_ms=NOW_MS - 30 * HOUR_MS, newest_inbound_ms=NOW_MS - 1000)
    assert old_turn == Notice(kind=NoticeKind.TOO_OLD)


def test_a_closed_window_is_silence_even_for_a_command() -> None:
    day_ms = 24 * HOUR_MS
    found = decided(turn_at_ms=NOW_MS - day_ms, newest_inbound_ms=NOW_MS - day_ms, command=command(CommandKind.STOP))
    assert found == Silent(reason=SilentReason.WINDOW_CLOSED)


def test_a_takeover_silences_until_it_ends() -> None:
    assert decided(paused_until_ms=NOW_MS + 1, pause_reason="takeover") == Silent(reason=SilentReason.PAUSED)
    assert decided(paused_until_ms=NOW_MS, pause_reason="takeover") == Answer()


@pytest.mark.parametrize("kind", [CommandKind.STOP, CommandKind.DELETE, CommandKind.CONFIRM_DELETE])
def test_leaving_and_being_forgotten_work_during_a_takeover(kind: CommandKind) -> None:
    found = decided(paused_until_ms=NOW_MS + HOUR_MS, pause_reason="takeover", command=command(kind))
    assert found == Answer()


@pytest.mark.parametrize(("reason", "answered"), [("loop", True), ("takeover", False), ("human_asked", False)])
def test_start_ends_a_loop_pause_but_no_humans(reason: str, *, answered: bool) -> None:
    found = decided(paused_until_ms=NOW_MS + HOUR_MS, pause_reason=reason, command=command(CommandKind.START))
    assert isinstance(found, Answer) is answered


def test_asking_for_a_human_pauses_for_half_an_hour() -> None:
    found = decided(command=command(CommandKind.HUMAN))
    assert found == Pause(reason=PauseReason.HUMAN_ASKED, until_ms=NOW_MS + 30 * 60_000)


def test_ten_turns_in_two_minutes_are_a_lively_talk() -> None:
    assert decided(recent=different(9)) == Answer()


def test_the_eleventh_turn_in_two_minutes_is_a_loop() -> None:
    assert decided(recent=different(10)) == Pause(reason=PauseReason.LOOP, until_ms=NOW_MS + 30 * 60_000)


def test_turns_spread_over_a_longer_time_are_no_loop() -> None:
    assert decided(recent=different(20, apart_ms=15_000)) == Answer()


@pytest.mark.parametrize(
    ("before", "now", "loops"),
    [
        (("sou um assistente virtual", "sou um assistente virtual"), "sou um assistente virtual", True),
        (("sou um assistente virtual 1", "sou um assistente virtual 2"), "sou um assistente virtual 3", True),
        (("sou um assistente virtual",), "sou um assistente virtual", False),
        (("sou um assistente virtual", "gosto de bolo de cenoura"), "sou um assistente virtual", False),
        (("mais uma", "mais uma"), "mais uma", False),
        (("kkkk", "kkkk"), "kkkk", False),
    ],
)
def test_three_near_identical_turns_in_a_row_are_a_loop(before: tuple[str, ...], now: str, *, loops: bool) -> None:
    assert isinstance(decided(recent=turns(*before), fingerprint=now), Pause) is loops


def test_a_fingerprint_forgets_case_accents_and_punctuation() -> None:
    assert fingerprint("Olá, VOCÊ!!!") == fingerprint("ola voce")


@pytest.mark.parametrize(
    ("in_minute", "decision"),
    [
        (20, Answer()),
        (21, Notice(kind=NoticeKind.RATE_LIMITED)),
        (22, Silent(reason=SilentReason.RATE_LIMITED)),
    ],
)
def test_too_many_turns_in_a_minute_send_one_text(in_minute: int, decision: Decision) -> None:
    assert decided(in_minute=in_minute) == decision


@pytest.mark.parametrize(
    ("in_day", "decision"),
    [
        (300, Answer()),
        (301, Notice(kind=NoticeKind.QUOTA_REACHED)),
        (302, Silent(reason=SilentReason.QUOTA_REACHED)),
    ],
)
def test_the_daily_quota_sends_one_text(in_day: int, decision: Decision) -> None:
    assert decided(in_day=in_day) == decision


def test_leaving_is_never_rate_limited() -> None:
    assert decided(in_minute=500, in_day=500, command=command(CommandKind.STOP)) == Answer()


@pytest.mark.parametrize(("age_ms", "apologises"), [(HOUR_MS, False), (HOUR_MS + 1, True)])
def test_a_turn_older_than_an_hour_gets_an_apology(age_ms: int, *, apologises: bool) -> None:
    found = decided(turn_at_ms=NOW_MS - age_ms, newest_inbound_ms=NOW_MS - age_ms)
    assert (found == Notice(kind=NoticeKind.TOO_OLD)) is apologises


@pytest.mark.parametrize(
    ("phone", "zone"),
    [("5511987654321", "America/Sao_Paulo"), ("5592987654321", "America/Manaus"), ("12", None), (None, None)],
)
def test_a_number_tells_its_time_zone_where_there_is_only_one(phone: str | None, zone: str | None) -> None:
    assert timezone_of(phone) == zone
