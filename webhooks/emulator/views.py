"""How the control API describes people and messages as JSON. Pure: it is handed what it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from webhooks.emulator.exchange import is_unread, media_problem
from webhooks.emulator.world import Media, Message, Person

FindMedia = Callable[[str | None], Media | None]

PLAIN = (
    "wamid",
    "person_id",
    "phone_number_id",
    "direction",
    "type",
    "node",
    "at_s",
    "context_id",
    "callback_data",
    "shown_as",
    "revision",
)


def _describe_media(media: Media) -> dict[str, Any]:
    return {
        "id": media.id,
        "mime_type": media.mime_type,
        "filename": media.filename,
        "bytes": len(media.data),
        "problem": media_problem(media) if media.audio else None,
        "audio": asdict(media.audio) if media.audio else None,
    }


def describe_person(person: Person, messages: Sequence[Message], find_media: FindMedia) -> dict[str, Any]:
    """A person with the unread count and the newest message of one chat."""
    newest = next((message for message in reversed(messages) if message.type != "reaction"), None)
    return {
        **asdict(person),
        "unread": sum(is_unread(message) for message in messages),
        "newest": describe_message(newest, find_media) if newest else None,
    }


def describe_message(message: Message, find_media: FindMedia) -> dict[str, Any]:
    """A message with everything known of it; times are epoch seconds."""
    media = find_media(message.media_id)
    return {
        **{name: getattr(message, name) for name in PLAIN},
        "receipts": dict(message.receipts),
        "reactions": dict(message.reactions),
        "failure": asdict(message.failure) if message.failure else None,
        "media": _describe_media(media) if media else None,
    }
