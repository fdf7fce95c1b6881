"""Builds and signs the bodies that the emulator posts to the webhook. Pure: no I/O, no clock."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webhooks.emulator.config import BusinessNumber
from webhooks.emulator.world import Message, Person

BUSINESS_ACCOUNT_ID = "102290129340398"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One update for one number: either a message with its contact or a status."""

    number: BusinessNumber
    wamid: str
    kind: str
    node: Mapping[str, Any]
    contact: Mapping[str, Any] | None = None


def message_item(message: Message, person: Person, number: BusinessNumber) -> Item:
    """A person's message as Meta words it; a person without a phone number has neither `from` nor `wa_id`."""
    node: dict[str, Any] = {
        "from_user_id": person.user_id,
        "id": message.wamid,
        "timestamp": str(int(message.at_s)),
        "type": message.type,
    }
    profile = {"name": person.name} | ({"username": person.username} if person.username else {})
    contact: dict[str, Any] = {"profile": profile, "user_id": person.user_id}
    if person.phone:
        node["from"] = person.phone
        contact["wa_id"] = person.phone
    if message.context_id:
        node["context"] = {"from": digits(number.display_phone_number), "id": message.context_id}
    if message.node is not None:
        node[message.type] = message.node
    return Item(number=number, wamid=message.wamid, kind="message", node=node, contact=contact)


def status_item(message: Message, person: Person, number: BusinessNumber, status: str, at_s: float) -> Item:
    """A receipt for a message of the business; a `failed` one carries the message's failure."""
    node: dict[str, Any] = {
        "id": message.wamid,
        "status": status,
        "timestamp": str(int(at_s)),
        "recipient_user_id": person.user_id,
    }
    if person.phone:
        node["recipient_id"] = person.phone
    if message.callback_data is not None:
        node["biz_opaque_callback_data"] = message.callback_data
    if status == "failed" and message.failure is not None:
        failure = message.failure
        node["errors"] = [
            {
                "code": failure.code,
                "title": failure.title,
                "message": failure.title,
                "error_data": {"details": failure.details},
            }
        ]
    return Item(number=number, wamid=message.wamid, kind=f"status:{status}", node=node)


def envelope(items: Sequence[Item], *, entry_time_s: float | None = None) -> bytes:
    r"""One webhook body: neighbouring items of the same number and kind share a `value`, the others get their own.

    Code points above U+007F leave as `\uXXXX`, as Meta signs them.
    """
    changes: list[dict[str, Any]] = []
    previous: tuple[str, str] | None = None
    for item in items:
        node_list = "messages" if item.kind == "message" else "statuses"
        group = (item.number.phone_number_id, node_list)
        if group != previous:
            changes.append({"field": "messages", "value": _empty_value(item.number)})
            previous = group
        value = changes[-1]["value"]
        if item.contact is not None and item.contact not in value.setdefault("contacts", []):
            value["contacts"].append(item.contact)
        value.setdefault(node_list, []).append(item.node)
    entry: dict[str, Any] = {"id": BUSINESS_ACCOUNT_ID, "changes": changes}
    if entry_time_s is not None:
        entry["time"] = int(entry_time_s)
    return encode({"object": "whatsapp_business_account", "entry": [entry]})


def encode(body: object) -> bytes:
    """JSON as Meta sends it: pure ASCII, non-ASCII escaped."""
    return json.dumps(body, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def sign(body: bytes, app_secret: str) -> str:
    """The value of `X-Hub-Signature-256` for these raw bytes."""
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()


def digits(phone: str) -> str:
    """Only the digits of a phone number as people write it."""
    return "".join(character for character in phone if character.isdigit())


def _empty_value(number: BusinessNumber) -> dict[str, Any]:
    return {
        "messaging_product": "whatsapp",
        "metadata": {
            "display_phone_number": digits(number.display_phone_number),
            "phone_number_id": number.phone_number_id,
        },
    }


def wamids(items: Iterable[Item]) -> tuple[str, ...]:
    """The ids of the messages among `items`, statuses left out."""
    return tuple(item.wamid for item in items if item.kind == "message")
