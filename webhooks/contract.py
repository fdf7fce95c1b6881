"""What a channel and the application owe each other: Inbox, Channel, Pace, RecordingSink, and the errors of sending.

    ChannelError                    retryable says whether sending the same again may work
    ├── NotSent                     definite: the channel did not take it (connect error, throttled, transient refusal)
    │   └── Throttled               too fast; wait retry_after_s
    ├── Refused                     definite and permanent for this content or person
    │   ├── MediaRefused            the media is the reason: upload again once, then answer in text
    │   └── WindowClosed            the 24 h service window is closed
    ├── AccountBlocked              nothing can be sent with this account now: pause everything and alert
    ├── Ambiguous                   it may have been taken: never send again blindly
    └── MediaUnavailable            inbound media cannot be fetched

Knows no redis, no aiohttp and no wire format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from webhooks.messages import ChannelFault, MediaRef, Menu, Person, Update

WINDOW_S = 24 * 3600.0
"""How long after a person's last message a channel takes answers to them."""


class ChannelError(Exception):
    """Base of everything a channel raises on purpose. `code` is the channel's own, 0 where there is none."""

    retryable = False

    def __init__(self, message: str, *, code: int = 0, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after_s = retry_after_s


class NotSent(ChannelError):
    """Definitely not taken; safe to retry."""

    retryable = True


class Throttled(NotSent):
    """Too fast for this pair, number or account; `retry_after_s` says how long to wait."""


class Refused(ChannelError):
    """Definitely not taken, and the same content will be refused again."""


class MediaRefused(Refused):
    """The media is at fault or gone at the channel."""


class WindowClosed(Refused):
    """More than 24 h since the person wrote."""


class AccountBlocked(ChannelError):
    """Token, policy or registration trouble: no send can succeed until an operator acts."""


class Ambiguous(ChannelError):
    """No definite answer came back: only a receipt can tell."""


class MediaUnavailable(ChannelError):
    """Media could not be fetched, is too large or is not what it claims. `retryable` is set per instance."""

    def __init__(self, message: str, *, code: int = 0, retryable: bool = False) -> None:
        super().__init__(message, code=code)
        self.retryable = retryable


class InboxUnavailable(Exception):
    """The durable store did not take it: the receiver answers 5xx and the channel delivers again."""


class Inbox(Protocol):
    """Where a channel's routes hand what they read."""

    async def accept(self, updates: Sequence[Update]) -> None:
        """Return only when every update is durable; raise InboxUnavailable when one may not be.

        An update that is itself unusable is counted and costs its neighbours nothing.
        """
        ...


class Channel(Protocol):
    """How the application speaks back. `endpoint_id` is the number that received; `to` may lack a phone number."""

    async def upload_voice(self, endpoint_id: str, data: bytes) -> str:
        """Upload one Ogg/Opus voice note; its media id."""
        ...

    async def send_voice(
        self, endpoint_id: str, to: Person, media_id: str, *, quote: str | None, callback_data: str
    ) -> str:
        """Send an uploaded note as a voice message; the message id. `quote` is the message it answers."""
        ...

    async def send_text(self, endpoint_id: str, to: Person, body: str, *, quote: str | None, callback_data: str) -> str:
        """Send text (at most 4096 characters); the message id."""
        ...

    async def send_menu(
        self, endpoint_id: str, to: Person, body: str, menu: Menu, *, quote: str | None, callback_data: str
    ) -> str:
        """Send a list to choose from; the message id."""
        ...

    async def mark_read(self, endpoint_id: str, message_id: str, *, typing: bool) -> None:
        """Show the message as read and, if asked, that an answer is being made (drops after 25 s)."""
        ...

    async def download(self, endpoint_id: str, media: MediaRef, *, max_bytes: int) -> bytes:
        """Fetch inbound media; raises MediaUnavailable."""
        ...

    async def delete_media(self, endpoint_id: str, media_id: str) -> None:
        """Forget uploaded media at the channel."""
        ...


class Pace(Protocol):
    """How fast may be sent. Whoever sends books first, waits, and only then says that it sends."""

    async def reserve(self, endpoint_id: str, recipient: str) -> float:
        """Book one send from a number to a person (any name that stays the same); how many seconds to wait before it.

        Raises Throttled, and books nothing, where the wait would be long.
        """
        ...


class RecordingSink(Protocol):
    """Takes a copy of every raw webhook, where recording is on."""

    async def record(self, *, received_at_ms: int, headers: Mapping[str, str], body: bytes) -> None:
        """Keep one webhook; must not raise into the receiver."""
        ...


def curable_by_repair(faults: Sequence[ChannelFault]) -> bool:
    """Whether a `failed` receipt can be cured by uploading again or answering in text (media error 131053)."""
    return any(fault.code == 131053 for fault in faults)
