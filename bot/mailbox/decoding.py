"""Reads the functions' answers: flat arrays of bytes into frozen data. Knows no redis client.

The shapes are those documented in `functions.lua`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.mailbox.model import DRAINING, Claim, Lane, Lease, PersonRecord, Receipt, Token, TurnStatus, TurnSummary
from webhooks.messages import StatusKind


class Fields:
    """One hash as it came over the wire."""

    def __init__(self, flat: Sequence[bytes]) -> None:
        self._values = dict(zip(flat[::2], flat[1::2], strict=True))

    def bytes(self, name: str) -> bytes | None:
        """The raw value, None if absent."""
        return self._values.get(name.encode())

    def text(self, name: str) -> str:
        """The value as text, empty if absent."""
        return (self.bytes(name) or b"").decode()

    def number(self, name: str) -> int:
        """The value as a number, 0 if absent."""
        return int(self.bytes(name) or 0)

    def flag(self, name: str) -> bool:
        """Whether the value is 1."""
        return self.bytes(name) == b"1"

    def ids(self, name: str) -> tuple[str, ...]:
        """The value as ids, space-separated."""
        return tuple(self.text(name).split())

    def items(self) -> list[tuple[str, str]]:
        """All pairs as text."""
        return [(name.decode(), value.decode()) for name, value in self._values.items()]


def read_claim(reply: Sequence[Any], token: Token) -> Claim:
    """The answer of `claim`."""
    turn_id, turn, conversation, person = reply[0].decode(), Fields(reply[1]), Fields(reply[2]), Fields(reply[3])
    messages = [Fields(flat) for flat in reply[5] if flat]
    return Claim(
        lease=Lease(
            token_id=token.token_id,
            lane=token.lane,
            consumer=token.consumer,
            turn_id=turn_id,
            conversation_id=token.conversation_id,
            attempt=turn.number("run"),
        ),
        record=turn.bytes("record"),
        payloads=tuple(message.bytes("payload") or b"" for message in messages),
        message_ids=tuple(message.text("id") for message in messages),
        transcripts={
            message.text("id"): heard for message in messages if (heard := message.bytes("transcript")) is not None
        },
        person=read_person(person),
        channel=turn.text("channel"),
        endpoint_id=turn.text("endpoint"),
        created_at_ms=turn.number("created_ms"),
        newest_inbound_ms=conversation.number("inbound_ms"),
        suspect=turn.flag("suspect"),
        interrupted=turn.flag("interrupted") or turn.text("reason") == DRAINING,
        single=turn.flag("single"),
        repair=turn.number("repair") > turn.number("repaired"),
        replayed=turn.flag("replayed"),
        failures=turn.number("failures"),
        receipts=read_receipts(reply[4]),
        paused_until_ms=conversation.number("paused_until_ms") or None,
        pause_reason=conversation.text("pause_reason"),
        former_conversation_ids=conversation.ids("former"),
    )


def read_person(person: Fields) -> PersonRecord:
    """A person's hash."""
    return PersonRecord(
        id=person.text("id"),
        phone=person.text("phone") or None,
        user_id=person.text("user_id") or None,
        profile_name=person.text("name") or None,
        opted_out=person.flag("opted_out"),
        marketing=person.flag("marketing") if person.text("marketing") else None,
        first_seen_ms=person.number("first_seen_ms"),
        former_ids=person.ids("former"),
    )


def read_receipts(flat: Sequence[bytes]) -> tuple[Receipt, ...]:
    """A turn's receipts, by part and attempt."""
    receipts = []
    for name, value in Fields(flat).items():
        part, attempt = name.split(":")
        status, at_ms, fault, curable, message_id = value.split(" ", 4)
        receipts.append(
            Receipt(
                part=int(part),
                attempt=int(attempt),
                status=StatusKind(status),
                failed_code=int(fault) if fault != "-" else None,
                curable=curable == "1",
                at_ms=int(at_ms),
                message_id=message_id,
            )
        )
    return tuple(sorted(receipts, key=lambda receipt: (receipt.part, receipt.attempt)))


def read_summary(reply: Sequence[Any]) -> TurnSummary:
    """One turn of the desk's lists."""
    turn = Fields(reply[1])
    status = TurnStatus(turn.text("state"))
    return TurnSummary(
        turn_id=reply[0].decode(),
        conversation_id=turn.text("conversation"),
        channel=turn.text("channel"),
        endpoint_id=turn.text("endpoint"),
        lane=Lane(turn.text("lane")),
        status=status,
        outcome=turn.text("outcome"),
        reason=turn.text("reason"),
        running=turn.flag("running"),
        suspect=turn.flag("suspect"),
        attempt=turn.number("run"),
        failures=turn.number("failures"),
        deaths=turn.number("deaths"),
        crashes=turn.number("crashes"),
        message_count=turn.number("message_count"),
        created_at_ms=turn.number("created_ms"),
        closed_at_ms=turn.number("closed_ms") or None,
        retry_at_ms=(turn.number("retry_ms") or None) if status is TurnStatus.OPEN else None,
        record=turn.bytes("record"),
        receipts=read_receipts(reply[2]),
        payloads=tuple(Fields(flat).bytes("payload") or b"" for flat in reply[3]) if len(reply) > 3 else (),
    )
