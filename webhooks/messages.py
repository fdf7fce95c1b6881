"""What arrives from a messaging channel, as frozen data. Knows no wire format, no channel library, no redis.

A channel's parser makes these from its payloads; `Inbox` takes them. Everything a person or the platform may send is a
value here: a type nobody knew yesterday is `MessageKind.UNSUPPORTED`, never an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class MessageKind(StrEnum):
    """What a person did. The names follow the Cloud API."""

    TEXT = "text"
    AUDIO = "audio"
    IMAGE = "image"
    VIDEO = "video"
    DOCUMENT = "document"
    STICKER = "sticker"
    LOCATION = "location"
    CONTACTS = "contacts"
    INTERACTIVE = "interactive"
    BUTTON = "button"
    REACTION = "reaction"
    ORDER = "order"
    SYSTEM = "system"
    REQUEST_WELCOME = "request_welcome"
    CALL = "call"  # one that nobody took
    EDIT = "edit"
    REVOKE = "revoke"
    UNSUPPORTED = "unsupported"


class Severity(StrEnum):
    """How much an operator should care about an alert."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Sending(StrEnum):
    """What an alert means for answers to people who wrote."""

    UNTOUCHED = "untouched"
    STOPPED = "stopped"
    RESUMED = "resumed"


class StatusKind(StrEnum):
    """How far an outbound message came; `delivered` may be skipped and may even follow `failed`."""

    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """The addresses somebody writes from or is written to; at least one is set.

    `phone` is digits only, as the channel gives it; `user_id` is the business-scoped id of who shows no number.
    """

    phone: str | None = field(default=None, repr=False)
    user_id: str | None = field(default=None, repr=False)
    profile_name: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRef:
    """Media that waits at the channel: fetch it by `media_id` (or `url`, where the webhook saved a hop)."""

    media_id: str
    mime_type: str
    sha256_base64: str | None = None
    url: str | None = field(default=None, repr=False)
    voice: bool = False
    filename: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFault:
    """An error the channel reports: numeric `code` and its words."""

    code: int
    title: str = ""
    details: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage:
    """One message of one person to one of our numbers.

    `endpoint_id` is the number that received (Cloud API: phone_number_id). `text` is what the person said, in any form
    that carries words: body, caption, title of a tapped button or row. `payload` is the machine id of a tapped button
    or row. `target_id` names the message a reaction, edit or revoke is about. `at_ms` is the channel's clock.
    `group_id` is set for what was said in a group, not to us alone. `faults` say why content is missing.
    """

    channel: str
    endpoint_id: str
    message_id: str = field(repr=False)
    sender: Person
    at_ms: int
    kind: MessageKind
    raw_type: str
    text: str | None = field(default=None, repr=False)
    payload: str | None = None
    media: MediaRef | None = None
    quoted_id: str | None = field(default=None, repr=False)
    target_id: str | None = field(default=None, repr=False)
    forwarded: bool = False
    group_id: str | None = field(default=None, repr=False)
    faults: tuple[ChannelFault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusUpdate:
    """A receipt for something we sent. `callback_data` is what we attached to the send, when the channel returns it."""

    channel: str
    endpoint_id: str
    message_id: str = field(repr=False)
    status: StatusKind
    at_ms: int
    recipient: Person
    callback_data: str | None = None
    faults: tuple[ChannelFault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanEcho:
    """A human colleague answered this person from the business app: the bot falls silent for a while."""

    channel: str
    endpoint_id: str
    message_id: str = field(repr=False)
    recipient: Person
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountAlert:
    """News of the account or a number of it, or errors that came without any message: the operator should know.

    `topic` and `event` are the channel's own words for what happened, `details` what it adds; none names a person.
    `endpoint_id` is empty where the whole account is meant; `until_ms` says when a restriction ends, if that is known.
    `at_ms` is the channel's clock, if it says so: news come in no order, and more than once.
    """

    channel: str
    endpoint_id: str
    account_id: str = ""
    topic: str = "errors"
    event: str = ""
    details: str = ""
    severity: Severity = Severity.WARNING
    sending: Sending = Sending.UNTOUCHED
    until_ms: int | None = None
    at_ms: int | None = None
    faults: tuple[ChannelFault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketingChoice:
    """A person stopped or resumed marketing messages of this business. Answers to them are not meant."""

    channel: str
    endpoint_id: str
    person: Person
    at_ms: int
    wanted: bool


Update = InboundMessage | StatusUpdate | HumanEcho | AccountAlert | MarketingChoice


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """A choice offered as a list: one button opens it. Cloud API limits: 10 rows, titles ≤ 24, descriptions ≤ 72."""

    button: str
    rows: tuple[MenuRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuRow:
    """One row of a menu; `id` comes back as `InboundMessage.payload`."""

    id: str
    title: str
    description: str = ""
