"""Turns the bytes of a webhook into updates. Does no I/O, keeps nothing, and knows neither HTTP nor signatures.

Whatever the platform sends becomes a value: a type nobody knew yesterday is an UNSUPPORTED message, an item that cannot
be read is a `Rejected` with its path, and neither costs its neighbours anything.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

import orjson
from pydantic import ValidationError

from webhooks.messages import (
    AccountAlert,
    ChannelFault,
    HumanEcho,
    InboundMessage,
    MarketingChoice,
    MessageKind,
    Person,
    StatusKind,
    StatusUpdate,
    Update,
)
from webhooks.whatsapp import wire
from webhooks.whatsapp.account import ALERT_FIELDS, LEFT_ALONE, account_alert
from webhooks.whatsapp.content import TYPES, said
from webhooks.whatsapp.refusals import BadWebhook

CHANNEL = "whatsapp"
"""The name these updates carry as `channel`."""

_OBJECT = "whatsapp_business_account"
_FIELDS = frozenset({"calls", "messages", "smb_message_echoes", "user_preferences"})
_STATUSES = {kind.value: kind for kind in StatusKind}
_PHONE = re.compile(r"\+?([0-9]{1,20})", re.ASCII)
_USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,125}", re.ASCII)

W = TypeVar("W", bound=wire.Wire)


class RejectReason(StrEnum):
    """Why an item was left out: few words, fit for a metric's label."""

    GROUP = "group"
    INVALID = "invalid"
    NO_PERSON = "no_person"
    UNKNOWN_FIELD = "unknown_field"
    UNKNOWN_STATUS = "unknown_status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """One item that was not read: where it stood, why, and which of its fields was at fault (never their values)."""

    path: str
    reason: RejectReason
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What one webhook said, in the order it said it."""

    updates: tuple[Update, ...]
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contacts:
    """The people one value names, and how many items they go with."""

    all: tuple[wire.Contact, ...]
    items: int

    def person(self, address: str | None, user_id: str | None) -> Person | None:
        """Who is meant: the item's own words first, then the contact that goes with them; None: nobody is named."""
        phone = _phone(address)
        if address and not phone and not user_id and _USER_ID.fullmatch(address):
            user_id = address
        contact = self._find(address, user_id)
        name = None
        if contact is not None:
            phone = phone or _phone(contact.wa_id)
            user_id = user_id or contact.user_id
            name = contact.profile.name if contact.profile else None
        if not phone and not user_id:
            return None
        return Person(phone=phone, user_id=user_id or None, profile_name=name or None)

    def _find(self, address: str | None, user_id: str | None) -> wire.Contact | None:
        for contact in self.all:
            if (user_id and contact.user_id == user_id) or (address and contact.wa_id == address):
                return contact
        if len(self.all) == self.items == 1:
            # One person's phone number and WhatsApp id may differ (Brazil's ninth digit), so a lone contact goes with a
            # lone item; never more than that, or two people would be taken for one.
            contact = self.all[0]
            return None if user_id and contact.user_id else contact
        return None


def parse_webhook(body: bytes) -> Parsed:
    """Every update in `body`, and every item that could not be read.

    Raises BadWebhook only when the body is no JSON or not the platform's envelope.
    """
    envelope = _load(body)
    entries = envelope.get("entry") if isinstance(envelope, dict) and envelope.get("object") == _OBJECT else None
    if not isinstance(entries, list):
        raise BadWebhook("not a webhook envelope")
    reading = _Reading()
    for entry_path, entry in _numbered(entries, "entry"):
        reading.read_entry(entry, entry_path)
    return Parsed(updates=tuple(reading.updates), rejected=tuple(reading.rejected))


def _load(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        # A name cut in the middle of an emoji leaves half a surrogate pair: legal in JSON, though no strict reader
        # takes it. One such name must not cost a thousand messages, so read again and put a question mark there.
        forgiving = json.dumps(json.loads(body.decode("utf-8", "replace")), ensure_ascii=False)
        return orjson.loads(forgiving.encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise BadWebhook("not JSON") from error


@dataclass(slots=True)
class _Reading:
    """The tally of one webhook while it is read."""

    updates: list[Update] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    def reject(self, path: str, reason: RejectReason, detail: str = "") -> None:
        self.rejected.append(Rejected(path=path, reason=reason, detail=detail))

    def each(self, shape: type[W], items: object, path: str) -> Iterator[tuple[str, W]]:
        """Each item that has the shape, with its path; the others are rejected one by one."""
        for item_path, item in self._raw(items, path):
            if (valid := self._valid(shape, item, item_path)) is not None:
                yield item_path, valid

    def _raw(self, items: object, path: str) -> Iterable[tuple[str, object]]:
        if isinstance(items, list):
            return _numbered(items, path)
        if items is not None:
            self.reject(path, RejectReason.INVALID, "not a list")
        return ()

    def _valid(self, shape: type[W], item: object, path: str) -> W | None:
        try:
            return shape.model_validate(item)
        except ValidationError as error:
            self.reject(path, RejectReason.INVALID, _faulty_fields(error))
            return None

    def _valid_message(self, item: object, path: str) -> wire.WireMessage | None:
        """The message, without its content where that cannot be read: somebody wrote, and is to be answered."""
        if isinstance(item, dict) and not isinstance(item.get("type"), str):
            item = item | {"type": _type_by_node(item)}
        shape = _message_shape(item)
        message = self._valid(shape, item, path)
        if message is None and shape is not wire.WireMessage:
            with contextlib.suppress(ValidationError):
                return wire.WireMessage.model_validate(item)
        return message

    def read_entry(self, entry: object, path: str) -> None:
        changes = entry.get("changes") if isinstance(entry, dict) else None
        if not isinstance(changes, list):
            self.reject(path, RejectReason.INVALID, "no changes")
            return
        account_id = str(entry.get("id") or "") if isinstance(entry, dict) else ""
        at_ms = wire.time_of(entry)
        for change_path, change in _numbered(changes, f"{path}.changes"):
            name = change.get("field") if isinstance(change, dict) else None
            if not isinstance(change, dict) or not isinstance(name, str):
                self.reject(change_path, RejectReason.INVALID, "no field")
            elif name in _FIELDS:
                self.read_value(name, change.get("value"), f"{change_path}.value")
            elif name in ALERT_FIELDS:
                facts = change.get("value")
                self.updates.append(account_alert(name, facts, channel=CHANNEL, account_id=account_id, at_ms=at_ms))
            elif name not in LEFT_ALONE:
                self.reject(change_path, RejectReason.UNKNOWN_FIELD, name[:64])

    def read_value(self, name: str, raw: object, path: str) -> None:
        value = self._valid(wire.Value, raw, path)
        if value is None:
            return
        endpoint_id = value.metadata.phone_number_id if value.metadata else ""
        contacts = _Contacts(
            all=tuple(contact for _, contact in self.each(wire.Contact, value.contacts, f"{path}.contacts")),
            items=sum(map(_count, (value.messages, value.statuses, value.user_preferences, value.calls))),
        )
        for item_path, item in self._raw(value.messages, f"{path}.messages"):
            message = self._valid_message(item, item_path)
            if message is not None:
                self._read_message(endpoint_id, contacts, message, item_path)
        receipts = value.statuses if name != "calls" else None  # there they are steps of a call
        for item_path, status in self.each(wire.WireStatus, receipts, f"{path}.statuses"):
            self._read_status(endpoint_id, contacts, status, item_path)
        for item_path, echo in self.each(wire.WireEcho, value.message_echoes, f"{path}.message_echoes"):
            self._read_echo(endpoint_id, contacts, echo, item_path)
        for item_path, choice in self.each(wire.WirePreference, value.user_preferences, f"{path}.user_preferences"):
            self._read_preference(endpoint_id, contacts, choice, item_path)
        for item_path, call in self.each(wire.WireCall, value.calls, f"{path}.calls"):
            self._read_call(endpoint_id, contacts, call, item_path)
        if faults := _faults(value.errors):
            self.updates.append(AccountAlert(channel=CHANNEL, endpoint_id=endpoint_id, faults=faults))

    def _read_message(self, endpoint_id: str, contacts: _Contacts, message: wire.WireMessage, path: str) -> None:
        sender = contacts.person(message.from_, message.from_user_id)
        if sender is None:
            self.reject(path, RejectReason.NO_PERSON)
            return
        content = said(message)
        context = message.context
        self.updates.append(
            InboundMessage(
                channel=CHANNEL,
                endpoint_id=endpoint_id,
                message_id=message.id,
                sender=sender,
                at_ms=message.timestamp,
                kind=content.kind,
                raw_type=content.raw_type or (message.type or "")[:64],
                text=content.text,
                payload=content.payload,
                media=content.media,
                quoted_id=(context.id or None) if context else None,
                target_id=content.target_id,
                forwarded=bool(context and (context.forwarded or context.frequently_forwarded)),
                group_id=message.group_id,
                faults=_faults(message.errors),
            )
        )

    def _read_status(self, endpoint_id: str, contacts: _Contacts, status: wire.WireStatus, path: str) -> None:
        kind = _STATUSES.get(status.status)
        if kind is None:
            self.reject(path, RejectReason.UNKNOWN_STATUS, status.status[:64])
            return
        self.updates.append(
            StatusUpdate(
                channel=CHANNEL,
                endpoint_id=endpoint_id,
                message_id=status.id,
                status=kind,
                at_ms=status.timestamp,
                # A receipt is found by its callback data or message id: without a recipient it is still worth having.
                recipient=contacts.person(status.recipient_id, status.recipient_user_id) or Person(),
                callback_data=status.biz_opaque_callback_data or None,
                faults=_faults(status.errors),
            )
        )

    def _read_preference(self, endpoint_id: str, contacts: _Contacts, choice: wire.WirePreference, path: str) -> None:
        person = contacts.person(choice.wa_id, choice.user_id)
        wanted = {"stop": False, "resume": True}.get(choice.value)
        if person is None:
            self.reject(path, RejectReason.NO_PERSON)
        elif choice.category != "marketing_messages" or wanted is None:
            self.reject(path, RejectReason.UNKNOWN_FIELD, f"{choice.category}={choice.value}"[:64])
        else:
            self.updates.append(
                MarketingChoice(
                    channel=CHANNEL, endpoint_id=endpoint_id, person=person, at_ms=choice.timestamp, wanted=wanted
                )
            )

    def _read_call(self, endpoint_id: str, contacts: _Contacts, call: wire.WireCall, path: str) -> None:
        """A call of a person that ended without anybody taking it is a message; every other step is left alone."""
        taken = call.status == "COMPLETED" or bool(call.duration)
        if call.event != "terminate" or taken or call.direction == "BUSINESS_INITIATED":
            return
        sender = contacts.person(call.from_, call.from_user_id)
        if sender is None:
            self.reject(path, RejectReason.NO_PERSON)
            return
        self.updates.append(
            InboundMessage(
                channel=CHANNEL,
                endpoint_id=endpoint_id,
                message_id=call.id,
                sender=sender,
                at_ms=call.timestamp,
                kind=MessageKind.CALL,
                raw_type="call",
            )
        )

    def _read_echo(self, endpoint_id: str, contacts: _Contacts, echo: wire.WireEcho, path: str) -> None:
        if echo.group_id is not None:
            self.reject(path, RejectReason.GROUP)  # said in a group: nobody's own conversation was taken over
            return
        recipient = contacts.person(echo.to, echo.to_user_id)
        if recipient is None:
            self.reject(path, RejectReason.NO_PERSON)
            return
        self.updates.append(
            HumanEcho(
                channel=CHANNEL,
                endpoint_id=endpoint_id,
                message_id=echo.id,
                recipient=recipient,
                at_ms=echo.timestamp,
            )
        )


def _numbered(items: list[object], path: str) -> Iterator[tuple[str, object]]:
    for index, item in enumerate(items):
        yield f"{path}[{index}]", item


def _message_shape(item: object) -> type[wire.WireMessage]:
    kind = item.get("type") if isinstance(item, dict) else None
    return wire.MESSAGE_SHAPES.get(kind, wire.WireMessage) if isinstance(kind, str) else wire.WireMessage


def _type_by_node(item: dict[str, object]) -> str | None:
    """The type of a message that does not say it: the first type whose node it has."""
    return next((name for name in TYPES if item.get(name) is not None), None)


def _count(items: object) -> int:
    return len(items) if isinstance(items, list) else 0


def _phone(address: str | None) -> str | None:
    match = _PHONE.fullmatch(address) if address else None
    return match[1] if match else None


def _faults(errors: Sequence[wire.WireError | None] | None) -> tuple[ChannelFault, ...]:
    if not errors:
        return ()
    return tuple(
        ChannelFault(
            code=error.code or 0,
            title=error.title or error.message or "",
            details=(error.error_data.details if error.error_data else None) or "",
        )
        for error in errors
        if error is not None
    )


def _faulty_fields(error: ValidationError) -> str:
    """Which fields were at fault and how, without what stood in them."""
    found: list[Any] = error.errors(include_url=False, include_context=False, include_input=False)
    return ", ".join(f"{'.'.join(map(str, item['loc']))}: {item['type']}" for item in found[:3])
