"""Everything that exists in the emulated world: people, numbers, media and their messages, in memory only.

It keeps state and a revision per message, and tells listeners what changed. It sends nothing and knows no HTTP.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from webhooks.emulator.config import BusinessNumber
from webhooks.emulator.errors import PhoneError

WINDOW_S = 24 * 3600.0
TYPING_S = 25.0
UPLOADED_MEDIA_TTL_S = 30 * 86400.0
WEBHOOK_MEDIA_TTL_S = 7 * 86400.0
MEDIA_URL_TTL_S = 300.0
VOICE_NOTE_LIMIT_BYTES = 512_000
MAX_MESSAGES = 5000
MAX_MEDIA = 1000


class Direction(StrEnum):
    """Who wrote a message."""

    FROM_PERSON = "from_person"
    FROM_BUSINESS = "from_business"


class ShownAs(StrEnum):
    """What a phone makes of an audio message: only a true voice note gets the microphone and a `played` receipt."""

    VOICE_NOTE = "voice_note"
    AUDIO_FILE = "audio_file"
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Someone with a phone. `phone` is None for people who write under a username only; `user_id` is always there."""

    id: str
    name: str
    phone: str | None
    username: str | None
    user_id: str


PEOPLE = (
    Person(id="ana", name="Ana Beatriz", phone="5511987654321", username=None, user_id="BR.1349001122334455"),
    Person(id="bruno", name="Bruno Carvalho", phone="5521976543210", username=None, user_id="BR.1349001122334466"),
    Person(id="grace", name="Grace Miller", phone="14155550132", username=None, user_id="US.1349001122334477"),
    Person(id="duda", name="Duda", phone=None, username="duda.ventura", user_id="BR.1349001122334488"),
)
"""The people every emulator starts with; Duda shows no phone number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFacts:
    """What decoding an audio file showed. `peaks` are 0..1 and evenly spaced; `problem`: why it is no voice note."""

    container: str
    codec: str
    channels: int
    sample_rate_hz: int
    duration_s: float
    peaks: tuple[float, ...]
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A stored file, of the business (`from_business`) or of a person."""

    id: str
    mime_type: str
    filename: str
    data: bytes
    created_at_s: float
    expires_at_s: float
    audio: AudioFacts | None
    phone_number_id: str

    def sha256(self) -> bytes:
        """The digest of the file, 32 bytes."""
        return hashlib.sha256(self.data).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a message of the business was not delivered."""

    code: int
    title: str
    details: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of either side. `node` is the type's own JSON; `receipts` maps a status to its time (epoch, s)."""

    wamid: str
    person_id: str
    phone_number_id: str
    direction: Direction
    type: str
    node: Any
    at_s: float
    context_id: str | None = None
    callback_data: str | None = None
    media_id: str | None = None
    shown_as: ShownAs | None = None
    receipts: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    failure: Failure | None = None
    reactions: Mapping[Direction, str] = field(default_factory=lambda: MappingProxyType({}))
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something a listener may want to redraw; `topic` is people, conversation, webhooks or faults."""

    topic: str
    person_id: str | None = None
    phone_number_id: str | None = None


class World:
    """The one place where emulated state lives. Not thread-safe: it belongs to the event loop."""

    def __init__(self, numbers: Iterable[BusinessNumber], *, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.numbers = {number.phone_number_id: number for number in numbers}
        self.people = {person.id: person for person in PEOPLE}
        self.revision = 0
        self._messages: dict[str, Message] = {}
        self._media: dict[str, Media] = {}
        self._typing_until_s: dict[tuple[str, str], float] = {}
        self._last_written_s: dict[tuple[str, str], float] = {}
        self._listeners: list[Callable[[Change], None]] = []

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` on every change until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def announce(self, change: Change) -> None:
        """Tell every listener."""
        for listener in tuple(self._listeners):
            listener(change)

    def number(self, phone_number_id: str) -> BusinessNumber:
        """The business number of this id, or a refusal."""
        try:
            return self.numbers[phone_number_id]
        except KeyError:
            raise PhoneError(f"no business number {phone_number_id!r}", http_status=404) from None

    def person(self, person_id: str) -> Person:
        """The person of this id, or a refusal."""
        try:
            return self.people[person_id]
        except KeyError:
            raise PhoneError(f"no person {person_id!r}", http_status=404) from None

    def find_recipient(self, address: str) -> Person | None:
        """Whoever has this phone number (digits) or business-scoped user id."""
        return next((p for p in self.people.values() if address in (p.phone, p.user_id)), None)

    def add_person(self, *, name: str, phone: str | None, username: str | None) -> Person:
        """A new person; ids and user ids are made here. Refuses a phone number that is taken."""
        if phone and self.find_recipient(phone):
            raise PhoneError("that phone number belongs to somebody already", http_status=409)
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "person"
        person_id = slug if slug not in self.people else f"{slug}-{secrets.token_hex(3)}"
        country = "US" if phone and phone.startswith("1") else "BR"
        user_id = f"{country}.{secrets.randbelow(9 * 10**15) + 10**15}"
        person = Person(id=person_id, name=name, phone=phone, username=username, user_id=user_id)
        self.people[person_id] = person
        self.announce(Change(topic="people", person_id=person_id))
        return person

    def add_message(self, message: Message) -> Message:
        """Store a new message; a person's opens the 24 h window, one of the business ends its typing."""
        while len(self._messages) >= MAX_MESSAGES:
            del self._messages[next(iter(self._messages))]
        key = (message.person_id, message.phone_number_id)
        if message.direction is Direction.FROM_PERSON:
            self._last_written_s[key] = message.at_s
        else:
            self._typing_until_s.pop(key, None)
        return self._store(message)

    def update(self, wamid: str, **changes: Any) -> Message:
        """Replace fields of a stored message."""
        return self._store(replace(self.message(wamid), **changes))

    def message(self, wamid: str) -> Message:
        """The message of this id, or a refusal."""
        try:
            return self._messages[wamid]
        except KeyError:
            raise PhoneError("no such message", http_status=404) from None

    def stamp(self, wamid: str, status: str) -> Message:
        """Note the time of a receipt; the first one counts."""
        message = self.message(wamid)
        if status in message.receipts:
            return message
        return self.update(wamid, receipts=MappingProxyType({**message.receipts, status: self.clock()}))

    def acknowledge(self, wamids: Iterable[str]) -> None:
        """The receiver took these messages: two ticks on the phone."""
        for wamid in wamids:
            if self.knows(wamid):
                self.stamp(wamid, "delivered")

    def knows(self, wamid: str) -> bool:
        """Whether this message is stored."""
        return wamid in self._messages

    def conversation(self, person_id: str, phone_number_id: str, *, since: int = 0) -> tuple[Message, ...]:
        """The messages of one chat that changed after revision `since`, in the order they were written."""
        return tuple(
            message
            for message in self._messages.values()
            if message.person_id == person_id
            and message.phone_number_id == phone_number_id
            and message.revision > since
        )

    def react(self, wamid: str, direction: Direction, emoji: str) -> None:
        """Set or (empty emoji) take back one side's reaction."""
        reactions = {side: mark for side, mark in self.message(wamid).reactions.items() if side is not direction}
        if emoji:
            reactions[direction] = emoji
        self.update(wamid, reactions=MappingProxyType(reactions))

    def window_open(self, person_id: str, phone_number_id: str) -> bool:
        """Whether the person wrote to this number within the last 24 h."""
        last_s = self._last_written_s.get((person_id, phone_number_id))
        return last_s is not None and self.clock() - last_s < WINDOW_S

    def close_window(self, person_id: str, phone_number_id: str) -> None:
        """Let 24 h pass for this chat's window, and only for that."""
        self._last_written_s.pop((person_id, phone_number_id), None)
        self._announce_chat(person_id, phone_number_id)

    def start_typing(self, person_id: str, phone_number_id: str) -> None:
        """Show the business as typing for 25 s or until its next message."""
        self._typing_until_s[person_id, phone_number_id] = self.clock() + TYPING_S
        self._announce_chat(person_id, phone_number_id)

    def typing_left_s(self, person_id: str, phone_number_id: str) -> float:
        """How long the typing indicator still shows, 0 when it does not."""
        return max(0.0, self._typing_until_s.get((person_id, phone_number_id), 0.0) - self.clock())

    def add_media(
        self,
        *,
        phone_number_id: str,
        data: bytes,
        mime_type: str,
        filename: str,
        ttl_s: float,
        audio: AudioFacts | None = None,
    ) -> Media:
        """Store a file under a new id, for `ttl_s`."""
        now_s = self.clock()
        media = Media(
            id=str(secrets.randbelow(9 * 10**14) + 10**14),
            mime_type=mime_type,
            filename=filename,
            data=data,
            created_at_s=now_s,
            expires_at_s=now_s + ttl_s,
            audio=audio,
            phone_number_id=phone_number_id,
        )
        while len(self._media) >= MAX_MEDIA:
            del self._media[next(iter(self._media))]
        self._media[media.id] = media
        return media

    def media(self, media_id: str | None) -> Media | None:
        """The file of this id unless it is unknown or has expired."""
        media = self._media.get(media_id) if media_id else None
        return media if media and media.expires_at_s > self.clock() else None

    def delete_media(self, media_id: str) -> None:
        """Forget a file."""
        self._media.pop(media_id, None)

    def _store(self, message: Message) -> Message:
        self.revision += 1
        stored = replace(message, revision=self.revision)
        self._messages[stored.wamid] = stored
        self._announce_chat(stored.person_id, stored.phone_number_id)
        return stored

    def _announce_chat(self, person_id: str, phone_number_id: str) -> None:
        self.announce(Change(topic="conversation", person_id=person_id, phone_number_id=phone_number_id))


def new_wamid() -> str:
    """A message id in the look of Meta's; opaque, safe in a URL."""
    return f"wamid.HBgM{secrets.token_hex(20).upper()}"
