from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import click
import pytest
from click.testing import Result

from bot.commandline.operate import conversation, dead, turn, turns
from bot.mailbox import Claim, Effect, Incoming, Lane, Mailbox, MailboxSettings
from bot.outbox import Part, PartKind
from bot.record import TurnRecord, VoiceAttempt, dump_record
from bot.store import Role, connect
from bot.turn import Turn
from bot.wire import dump_message
from webhooks.messages import InboundMessage, MessageKind, Person

Recado = Callable[..., Result]
QUESTION, ANSWER = "Vocês abrem no sábado?", "Abrimos às nove."
NUMBER = "106540352242922"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    turn_id: str
    conversation_id: str


TRIED = (
    VoiceAttempt(part=0, engine="remote", outcome="skipped", reason="not configured"),
    VoiceAttempt(part=0, engine="qwen3", outcome="EngineFailed", reason="it raised RuntimeError", latency_s=2.54),
    VoiceAttempt(part=0, engine="kokoro", outcome="ok", latency_s=0.71),
)


def make_dead_letter(
    store_url: str, *, phone: str = "5511987654321", age_s: float = 0, record: bytes | None = None
) -> Letter:
    """One message that was claimed, half answered and given up; `record` stands in for what is kept of that."""

    async def make() -> Letter:
        redis = connect(store_url, Role.WORKER)
        try:
            mailbox = Mailbox(redis, secret=b"test", settings=MailboxSettings(quiet_ms=0, burst_max_ms=0))
            await mailbox.prepare()
            await mailbox.put(incoming(phone, age_s))
            claim = await next_claim(mailbox)
            part = Part(kind=PartKind.VOICE, text=ANSWER, error="EngineFailed")
            half = Turn(id=claim.lease.turn_id, created_at_ms=0, newest_at_ms=0, parts=(part,))
            kept = record or dump_record(TurnRecord(turn=half, attempts=TRIED))
            await mailbox.bury(claim.lease, kept, "the voice failed")
            return Letter(turn_id=claim.lease.turn_id, conversation_id=claim.lease.conversation_id)
        finally:
            await redis.aclose()

    return asyncio.run(make())


def incoming(phone: str, age_s: float) -> Incoming:
    at_ms = round((time.time() - age_s) * 1000)
    person = Person(phone=phone, user_id=None, profile_name="Ana")
    message = InboundMessage(
        channel="whatsapp",
        endpoint_id=NUMBER,
        message_id=f"wamid.{phone}",
        sender=person,
        at_ms=at_ms,
        kind=MessageKind.TEXT,
        raw_type="text",
        text=QUESTION,
    )
    return Incoming(
        channel="whatsapp",
        endpoint_id=NUMBER,
        message_id=message.message_id,
        person=person,
        at_ms=at_ms,
        payload=dump_message(message),
        lane=Lane.VOICE,
        effect=Effect.MESSAGE,
    )


async def next_claim(mailbox: Mailbox) -> Claim:
    await mailbox.pump()
    (token,) = await mailbox.take(Lane.VOICE, "test", count=1, block_ms=1000)
    claim = await mailbox.claim(token)
    assert claim is not None
    return claim


def test_the_list_of_turns_shows_where_each_stands(recado: Recado, store_url: str) -> None:
    letter = make_dead_letter(store_url)
    _, line = recado(turns).output.splitlines()
    assert letter.turn_id in line
    assert letter.conversation_id in line
    assert "dead, the voice failed" in line


@pytest.mark.parametrize(("command", "arguments"), [(turns, ()), (dead, ("list",))])
def test_an_empty_list_says_so(recado: Recado, command: click.Command, arguments: tuple[str, ...]) -> None:
    result = recado(command, *arguments)
    assert result.exit_code == 0
    assert result.output.startswith(("No turn", "There is no dead letter"))


def test_no_more_turns_are_listed_than_asked_for(recado: Recado, store_url: str) -> None:
    for phone in ("5511900000001", "5511900000002", "5511900000003"):
        make_dead_letter(store_url, phone=phone)
    assert len(recado(turns, "--limit", "2").output.splitlines()) == 1 + 2


def test_a_turn_shows_every_run_that_ended_with_its_process(recado: Recado, store_url: str) -> None:
    async def crash() -> str:
        redis = connect(store_url, Role.WORKER)
        try:
            mailbox = Mailbox(redis, secret=b"test", settings=MailboxSettings(quiet_ms=0, burst_max_ms=0))
            await mailbox.prepare()
            await mailbox.put(incoming("5511987654321", 0))
            claim = await next_claim(mailbox)
            (token,) = await mailbox.recover("another", min_idle_ms=0, count=1)
            assert await mailbox.claim(token, recovered=True) is not None
            return claim.lease.turn_id
        finally:
            await redis.aclose()

    assert "2, 0 failed, 1 crashed" in recado(turn, "show", asyncio.run(crash())).output


@pytest.mark.parametrize("group", [turn, dead])
def test_a_turn_is_shown_with_its_parts_and_without_what_was_said(
    recado: Recado, store_url: str, group: click.Command
) -> None:
    output = recado(group, "show", make_dead_letter(store_url).turn_id).output
    assert "voice, planned, EngineFailed" in output
    assert "the voice failed" in output
    for private in (QUESTION, ANSWER, "5511987654321", "Ana", "wamid"):
        assert private not in output


def test_a_turn_shows_which_engines_were_tried_why_not_and_how_long_each_took(recado: Recado, store_url: str) -> None:
    output = recado(turn, "show", make_dead_letter(store_url).turn_id).output
    told = [line.partition("  ")[2].strip() for line in output.splitlines() if line.startswith("voice of 0")]
    assert told == [
        "remote: skipped, not configured",
        "qwen3: EngineFailed after 2.5 s, it raised RuntimeError",
        "kokoro: ok after 0.7 s",
    ]


def test_a_turn_kept_by_another_version_is_shown_as_far_as_it_can_be_read(recado: Recado, store_url: str) -> None:
    result = recado(turn, "show", make_dead_letter(store_url, record=b"{}").turn_id)
    assert result.exit_code == 0
    assert "written by another version" in result.output


def test_what_was_said_is_shown_when_asked_for(recado: Recado, store_url: str) -> None:
    output = recado(turn, "show", make_dead_letter(store_url).turn_id, "--text").output
    assert QUESTION in output
    assert ANSWER in output
    assert "5511987654321" not in output


@pytest.mark.parametrize(
    ("group", "arguments"),
    [(turn, ("show",)), (dead, ("show",)), (dead, ("replay",)), (dead, ("discard",)), (conversation, ("pause",))],
)
def test_an_unknown_id_fails(recado: Recado, group: click.Command, arguments: tuple[str, ...]) -> None:
    result = recado(group, *arguments, "nothing")
    assert result.exit_code == 1
    assert "no such" in result.output or "There is no" in result.output


def test_a_replayed_letter_is_dead_no_more(recado: Recado, store_url: str) -> None:
    letter = make_dead_letter(store_url)
    assert recado(dead, "replay", letter.turn_id).output == f"{letter.turn_id} runs again\n"
    assert letter.turn_id not in recado(dead, "list").output
    assert "waiting" in recado(turns).output


def test_replaying_all_counts_what_runs_and_what_came_too_late(recado: Recado, store_url: str) -> None:
    make_dead_letter(store_url)
    make_dead_letter(store_url, phone="5511900000002", age_s=25 * 3600)
    assert recado(dead, "replay", "--all").output == "1 run again; 1 came too late to be answered\n"


def test_a_letter_that_came_too_late_is_refused_with_the_reason(recado: Recado, store_url: str) -> None:
    result = recado(dead, "replay", make_dead_letter(store_url, age_s=25 * 3600).turn_id)
    assert result.exit_code == 1
    assert "too long ago" in result.output


@pytest.mark.parametrize("arguments", [(), ("some-id", "--all")])
def test_a_replay_needs_one_id_or_all(recado: Recado, arguments: tuple[str, ...]) -> None:
    assert recado(dead, "replay", *arguments).exit_code == 2


def test_a_discarded_letter_is_gone(recado: Recado, store_url: str) -> None:
    letter = make_dead_letter(store_url)
    assert recado(dead, "discard", letter.turn_id).exit_code == 0
    assert recado(dead, "show", letter.turn_id).exit_code == 1
    assert "There is no dead letter." in recado(dead, "list").output


def paused_until_ms(store_url: str, letter: Letter) -> int | None:
    """What a claim of the letter's conversation says of a pause."""

    async def ask() -> int | None:
        redis = connect(store_url, Role.WORKER)
        try:
            mailbox = Mailbox(redis, secret=b"test", settings=MailboxSettings(quiet_ms=0, burst_max_ms=0))
            await mailbox.replay(letter.turn_id)
            return (await next_claim(mailbox)).paused_until_ms
        finally:
            await redis.aclose()

    return asyncio.run(ask())


def test_a_paused_conversation_is_silent_for_the_time_given(recado: Recado, store_url: str) -> None:
    letter = make_dead_letter(store_url)
    assert recado(conversation, "pause", letter.conversation_id, "--minutes", "60").exit_code == 0
    until_ms = paused_until_ms(store_url, letter)
    assert until_ms is not None
    assert 59 * 60_000 < until_ms - time.time() * 1000 <= 60 * 60_000


def test_a_resumed_conversation_is_answered_again(recado: Recado, store_url: str) -> None:
    letter = make_dead_letter(store_url)
    recado(conversation, "pause", letter.conversation_id)
    assert recado(conversation, "resume", letter.conversation_id).exit_code == 0
    assert not paused_until_ms(store_url, letter)
