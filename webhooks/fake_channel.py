"""An inbox and a channel without a network, for tests and demonstrations.

`FakeInbox` keeps what was accepted and `FakeChannel` what was sent; both fail on demand, with the contract's errors.
The channel refuses what the Cloud API's limits refuse, so that what passes here passes there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from webhooks.contract import ChannelError, InboxUnavailable, MediaRefused, MediaUnavailable
from webhooks.messages import MediaRef, Menu, Person, Update
from webhooks.whatsapp import payloads


class FakeInbox:
    """Keeps every accepted update in `accepted`, in order; raises while `available` is False, hangs while `slow`."""

    def __init__(self) -> None:
        self.accepted: list[Update] = []
        self.calls = 0
        self.available = True
        self.slow = False

    async def accept(self, updates: Sequence[Update]) -> None:
        """See `Inbox.accept`."""
        self.calls += 1
        if self.slow:
            await asyncio.Event().wait()
        if not self.available:
            raise InboxUnavailable("told to be down")
        self.accepted.extend(updates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One thing that reached a person: a voice note (`media_id`), words (`body`) or a menu (`body` and `menu`)."""

    message_id: str
    endpoint_id: str
    to: Person
    quote: str | None
    callback_data: str
    media_id: str | None = None
    body: str | None = None
    menu: Menu | None = None


@dataclass(slots=True)
class FakeChannel:
    """Implements `Channel` in memory. `media` is what waits for download or was uploaded, by id."""

    sent: list[Sent] = field(default_factory=list)
    reads: list[tuple[str, bool]] = field(default_factory=list)
    media: dict[str, bytes] = field(default_factory=dict)
    _failures: list[tuple[str, ChannelError]] = field(default_factory=list)
    _ids: int = 0

    def fail(self, method: str, *errors: ChannelError) -> None:
        """Let the next calls of `method` (say `send_voice`) raise these errors, one each."""
        self._failures.extend((method, error) for error in errors)

    async def upload_voice(self, endpoint_id: str, data: bytes) -> str:  # noqa: ARG002  one store for all numbers
        """See `Channel.upload_voice`."""
        payloads.check_voice_note(data)
        self._raise_planned("upload_voice")
        media_id = self._next_id("media")
        self.media[media_id] = data
        return media_id

    async def send_voice(
        self, endpoint_id: str, to: Person, media_id: str, *, quote: str | None, callback_data: str
    ) -> str:
        """See `Channel.send_voice`."""
        payloads.voice(to, media_id, quote=quote, callback_data=callback_data)
        self._raise_planned("send_voice")
        if media_id not in self.media:
            raise MediaRefused("no such media")
        return self._keep(
            Sent(
                message_id=self._next_id("message"),
                endpoint_id=endpoint_id,
                to=to,
                quote=quote,
                callback_data=callback_data,
                media_id=media_id,
            )
        )

    async def send_text(self, endpoint_id: str, to: Person, body: str, *, quote: str | None, callback_data: str) -> str:
        """See `Channel.send_text`."""
        payloads.text(to, body, quote=quote, callback_data=callback_data)
        self._raise_planned("send_text")
        return self._keep(
            Sent(
                message_id=self._next_id("message"),
                endpoint_id=endpoint_id,
                to=to,
                quote=quote,
                callback_data=callback_data,
                body=body,
            )
        )

    async def send_menu(
        self, endpoint_id: str, to: Person, body: str, menu: Menu, *, quote: str | None, callback_data: str
    ) -> str:
        """See `Channel.send_menu`."""
        payloads.menu(to, body, menu, quote=quote, callback_data=callback_data)
        self._raise_planned("send_menu")
        return self._keep(
            Sent(
                message_id=self._next_id("message"),
                endpoint_id=endpoint_id,
                to=to,
                quote=quote,
                callback_data=callback_data,
                body=body,
                menu=menu,
            )
        )

    async def mark_read(self, endpoint_id: str, message_id: str, *, typing: bool) -> None:  # noqa: ARG002  one list for all numbers
        """See `Channel.mark_read`."""
        self._raise_planned("mark_read")
        self.reads.append((message_id, typing))

    async def download(self, endpoint_id: str, media: MediaRef, *, max_bytes: int) -> bytes:  # noqa: ARG002  one store for all numbers
        """See `Channel.download`."""
        self._raise_planned("download")
        data = self.media.get(media.media_id)
        if data is None:
            raise MediaUnavailable("no such media")
        if len(data) > max_bytes:
            raise MediaUnavailable(f"the media has more than {max_bytes} bytes")
        return data

    async def delete_media(self, endpoint_id: str, media_id: str) -> None:  # noqa: ARG002  one store for all numbers
        """See `Channel.delete_media`."""
        self._raise_planned("delete_media")
        self.media.pop(media_id, None)

    def _keep(self, sent: Sent) -> str:
        self.sent.append(sent)
        return sent.message_id

    def _raise_planned(self, method: str) -> None:
        for index, (planned, error) in enumerate(self._failures):
            if planned == method:
                del self._failures[index]
                raise error

    def _next_id(self, kind: str) -> str:
        self._ids += 1
        return f"{kind}-{self._ids}"
