from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.commands import Command, CommandKind, parse_command
from bot.conversation import RecentTurn
from bot.policy import Facts, Limits, Pause, Silent, SilentReason, country_of, decide, fingerprint
from webhooks.contract import WINDOW_S

NOW_MS = 1_800_000_000_000
moments = st.integers(NOW_MS - 3 * 86_400_000, NOW_MS)
commands = st.none() | st.builds(Command, kind=st.sampled_from(CommandKind))
facts = st.builds(
    Facts,
    now_ms=st.just(NOW_MS),
    turn_at_ms=moments,
    newest_inbound_ms=moments,
    phone=st.none() | st.text(st.characters(codec="ascii"), max_size=20) | st.from_regex(r"\d{6,15}", fullmatch=True),
    opted_out=st.booleans(),
    in_minute=st.integers(1, 50),
    in_day=st.integers(1, 500),
    command=commands,
    paused_until_ms=st.none() | st.integers(NOW_MS - 1000, NOW_MS + 1000),
    pause_reason=st.sampled_from(["", "loop", "takeover", "human_asked"]),
    recent=st.lists(st.builds(RecentTurn, at_ms=moments, fingerprint=st.text(max_size=30)), max_size=15).map(tuple),
    fingerprint=st.text(max_size=30),
)
limits = st.builds(
    Limits,
    allowed_countries=st.frozensets(st.sampled_from(["BR", "US", "DE"])),
    allow_unknown_country=st.booleans(),
    loop_turns=st.integers(1, 12),
    rate_per_minute=st.integers(1, 30),
)


@given(facts, limits)
def test_every_turn_gets_a_decision_and_the_same_one_twice(some: Facts, allowed: Limits) -> None:
    assert decide(some, allowed) == decide(some, allowed)


@given(facts, limits)
def test_nobody_who_opted_out_hears_from_us_unless_they_start(some: Facts, allowed: Limits) -> None:
    if some.opted_out and (some.command is None or some.command.kind is not CommandKind.START):
        assert decide(some, allowed) == Silent(reason=SilentReason.OPTED_OUT)


@given(facts, limits)
def test_nothing_is_said_into_a_closed_window(some: Facts, allowed: Limits) -> None:
    if NOW_MS - some.newest_inbound_ms >= WINDOW_S * 1000:
        assert isinstance(decide(some, allowed), Silent)


@given(facts, limits)
def test_a_pause_always_ends_later_than_now(some: Facts, allowed: Limits) -> None:
    found = decide(some, allowed)
    if isinstance(found, Pause):
        assert found.until_ms > some.now_ms


@given(st.text(max_size=200))
def test_any_text_has_a_fingerprint_a_country_or_none_and_a_command_or_none(text: str) -> None:
    assert fingerprint(fingerprint(text)) == fingerprint(text)
    assert country_of(text) is None or len(country_of(text) or "") == 2
    assert parse_command(text) == parse_command(text.upper().lower())
