"""`recado turns|turn|dead|conversation`: what an operator does about turns. Thin over the mailbox's own methods.

Without `--text` nothing that people wrote or were told is shown.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from bot.commandline.processes import read_settings
from bot.commandline.store_access import with_store
from bot.commandline.table import columns, pairs
from bot.installation import Installation
from bot.mailbox import TurnStatus, TurnSummary
from bot.outbox import Part
from bot.policy import PauseReason
from bot.record import VoiceAttempt, load_record
from bot.wire import Unreadable, load_message
from tts.fallback import SKIPPED

_LIMIT = click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many.")
_TEXT = click.option("--text", is_flag=True, help="Also show what was written and answered.")
_TURN = click.argument("turn_id", metavar="ID")
_CONVERSATION = click.argument("conversation_id", metavar="ID")


@click.command()
@_LIMIT
def turns(limit: int) -> None:
    """List the newest turns."""
    _print_turns(with_store(lambda installation: installation.mailbox.turns(limit)), "No turn is kept.")


@click.group()
def turn() -> None:
    """Look at one turn."""


@turn.command("show")
@_TURN
@_TEXT
def show_turn(turn_id: str, *, text: bool) -> None:
    """Show the turn ID: where it stands, its parts, the engines tried and receipts."""
    _print_turn(turn_id, text=text)


@click.group()
def dead() -> None:
    """List, show, replay and discard dead letters: turns that were given up."""


@dead.command("list")
@_LIMIT
def list_dead(limit: int) -> None:
    """List the dead letters, newest first."""
    _print_turns(with_store(lambda installation: installation.mailbox.dead_letters(limit)), "There is no dead letter.")


@dead.command("show")
@_TURN
@_TEXT
def show_dead(turn_id: str, *, text: bool) -> None:
    """Show the dead letter ID and why it was given up."""
    _print_turn(turn_id, text=text, dead_only=True)


@dead.command()
@click.argument("turn_id", metavar="ID", required=False)
@click.option("--all", "everything", is_flag=True, help="Every dead letter, the oldest first.")
def replay(turn_id: str | None, *, everything: bool) -> None:
    """Run the dead letter ID again, with fresh attempts."""
    if everything == (turn_id is not None):
        raise click.UsageError("Name one dead letter, or give --all.")
    if turn_id is not None:
        with_store(lambda installation: installation.mailbox.replay(turn_id))
        click.echo(f"{turn_id} runs again")
        return
    replayed, refused = with_store(lambda installation: installation.mailbox.replay_all(on_progress=_tell_progress))
    late = f"; {refused} came too late to be answered" if refused else ""
    click.echo(f"{replayed} run again{late}")


def _tell_progress(replayed: int, refused: int) -> None:
    """A line that stays where it is, for whoever watches."""
    if sys.stderr.isatty():
        click.echo(f"\r{replayed} replayed, {refused} too late", nl=False, err=True)


@dead.command()
@_TURN
def discard(turn_id: str) -> None:
    """Drop the dead letter ID and what it says."""
    with_store(lambda installation: installation.mailbox.discard(turn_id))
    click.echo(f"{turn_id} discarded")


@click.group()
def conversation() -> None:
    """Silence the bot in a conversation, or let it answer again."""


@conversation.command()
@_CONVERSATION
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="How long; TAKEOVER_MINUTES without it.")
def pause(conversation_id: str, minutes: float | None) -> None:
    """Take the conversation ID over: the bot is silent there, at once."""
    until_ms = round((time.time() + (minutes or read_settings().takeover_minutes) * 60) * 1000)

    async def silence(installation: Installation) -> bool:
        return await installation.mailbox.pause(conversation_id, until_ms, PauseReason.TAKEOVER, cancel_running=True)

    if not with_store(silence):
        raise _no_conversation(conversation_id)
    click.echo(f"{conversation_id} is paused until {_moment(until_ms)}")


@conversation.command()
@_CONVERSATION
def resume(conversation_id: str) -> None:
    """Let the bot answer again in the conversation ID."""
    if not with_store(lambda installation: installation.mailbox.resume(conversation_id)):
        raise _no_conversation(conversation_id)
    click.echo(f"{conversation_id} is answered again")


def _no_conversation(conversation_id: str) -> click.ClickException:
    return click.ClickException(f"There is no conversation {conversation_id!r}; `recado turns` shows the ids.")


def _print_turns(found: Sequence[TurnSummary], nothing: str) -> None:
    if not found:
        click.echo(nothing)
        return
    rows = [
        (
            one.turn_id,
            one.conversation_id,
            _moment(one.created_at_ms),
            one.lane.value,
            str(one.message_count),
            str(one.attempt),
            _standing(one),
        )
        for one in found
    ]
    for line in columns(("TURN", "CONVERSATION", "CREATED", "LANE", "MESSAGES", "RUNS", "STANDS AT"), rows):
        click.echo(line)


def _print_turn(turn_id: str, *, text: bool, dead_only: bool = False) -> None:
    found = with_store(lambda installation: installation.mailbox.turn(turn_id))
    if found is None or (dead_only and found.status is not TurnStatus.DEAD):
        what = "dead letter" if dead_only else "turn"
        raise click.ClickException(f"There is no {what} {turn_id!r}: they are forgotten after some days.")
    for line in pairs([*_facts(found), *_answer(found, text=text), *(_question(found) if text else ())]):
        click.echo(line)


def _facts(one: TurnSummary) -> list[tuple[str, str]]:
    return [
        ("turn", one.turn_id),
        ("conversation", one.conversation_id),
        ("number", f"{one.endpoint_id} ({one.channel})"),
        ("lane", one.lane.value),
        ("messages", str(one.message_count)),
        ("created", _moment(one.created_at_ms)),
        ("closed", _moment(one.closed_at_ms) if one.closed_at_ms else ""),
        ("stands at", _standing(one)),
        ("runs", _runs(one)),
        ("next run", _moment(one.retry_at_ms) if one.retry_at_ms else ""),
        *(
            (
                f"receipt {receipt.part}:{receipt.attempt}",
                _receipt_words(receipt.status, receipt.failed_code, receipt.at_ms),
            )
            for receipt in one.receipts
        ),
    ]


@click.group()
def sending() -> None:
    """See whether the channel stopped all sending, and let it go on."""


@sending.command("show")
def show_sending() -> None:
    """Say whether anything may be sent now, and why not."""
    reason = with_store(lambda installation: installation.mailbox.stopped_because())
    click.echo("Sending goes on." if reason is None else f"Nothing is sent: {reason}")


@sending.command("resume")
def resume_sending() -> None:
    """Send again, after a ban or an error that is over. What waits goes out within a minute."""
    held = with_store(lambda installation: installation.mailbox.release_sending())
    click.echo("Sending goes on." if held else "Sending was not held.")


def _runs(one: TurnSummary) -> str:
    words = f"{one.attempt}, {one.failures} failed, {one.deaths} crashed"
    return f"{words}, {one.crashes} of them while it ran alone" if one.crashes else words


def _receipt_words(status: str, code: int | None, at_ms: int) -> str:
    return f"{status}{f' (code {code})' if code else ''}, {_moment(at_ms)}"


def _answer(one: TurnSummary, *, text: bool) -> list[tuple[str, str]]:
    if one.record is None:
        return []
    try:
        record = load_record(one.record)
    except Unreadable:
        return [("answer", "written by another version of the program")]
    parts = [(f"part {number}", _part_words(part, text=text)) for number, part in enumerate(record.turn.parts)]
    return [*parts, *((f"voice of {attempt.part}", _attempt_words(attempt)) for attempt in record.attempts)]


def _part_words(part: Part, *, text: bool) -> str:
    words = [f"{part.kind.value}, {part.state.value}"]
    if part.duration_s:
        words.append(f"{part.duration_s:.1f} s")
    if part.fallback_reason:
        words.append(f"as text: {part.fallback_reason}")
    if part.error:
        words.append(part.error)
    return ", ".join(words) + (f"\n{part.text}" if text else "")


def _attempt_words(attempt: VoiceAttempt) -> str:
    words = f"{attempt.engine}: {attempt.outcome}"
    if attempt.outcome != SKIPPED:
        words += f" after {attempt.latency_s:.1f} s"
    return f"{words}, {attempt.reason}" if attempt.reason else words


def _question(one: TurnSummary) -> list[tuple[str, str]]:
    said = []
    for number, payload in enumerate(one.payloads):
        try:
            message = load_message(payload)
        except Unreadable:
            said.append((f"message {number}", "written by another version of the program"))
            continue
        said.append((f"message {number}", f"{message.kind.value}\n{message.text or ''}".strip()))
    return said


def _standing(one: TurnSummary) -> str:
    words: list[str] = [one.status.value]
    if one.status is TurnStatus.OPEN:
        words = ["running" if one.running else "waiting"]
    if one.suspect:
        words.append("suspect")
    words += [word for word in (one.outcome, one.reason) if word and word not in words]
    return ", ".join(words)


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
