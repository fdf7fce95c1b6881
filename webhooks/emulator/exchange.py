"""What happens between a phone and the business: messages cross, receipts come back, windows open.

The one place where world, faults and courier meet. It knows no HTTP requests; `graph` and `phone` are its two doors.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, assert_never

from webhooks.emulator import errors
from webhooks.emulator.config import EmulatorConfig
from webhooks.emulator.courier import Courier
from webhooks.emulator.faults import Fault, FaultDesk, Operation
from webhooks.emulator.outbound import MarkRead, Send, SendAudio, SendInteractive, SendReaction, SendText
from webhooks.emulator.payloads import digits, message_item, status_item
from webhooks.emulator.world import (
    VOICE_NOTE_LIMIT_BYTES,
    Direction,
    Failure,
    Media,
    Message,
    Person,
    ShownAs,
    World,
    new_wamid,
)

RECEIPTS = ("sent", "delivered", "read", "played")
LATE_MEDIA_ERROR = Failure(code=131053, title="Media upload error", details="Fault on demand")


class Exchange:
    """Lets the two sides talk. Every method changes the world first and posts webhooks after."""

    def __init__(self, config: EmulatorConfig, world: World, faults: FaultDesk, courier: Courier) -> None:
        self._config = config
        self.world = world
        self.faults = faults
        self.courier = courier

    def person_writes(
        self,
        person: Person,
        phone_number_id: str,
        *,
        kind: str,
        node: Any,
        context_id: str | None = None,
        media: Media | None = None,
    ) -> Message:
        """A message leaves a phone: stored, then announced to the receiver."""
        number = self.world.number(phone_number_id)
        now_s = self.world.clock()
        if kind == "reaction" and self.world.knows(node.get("message_id", "")):
            self.world.react(node["message_id"], Direction.FROM_PERSON, node.get("emoji", ""))
        message = self.world.add_message(
            Message(
                wamid=new_wamid(),
                person_id=person.id,
                phone_number_id=phone_number_id,
                direction=Direction.FROM_PERSON,
                type=kind,
                node=node,
                at_s=now_s,
                context_id=context_id,
                media_id=media.id if media else None,
                shown_as=ShownAs.VOICE_NOTE if kind == "audio" and node.get("voice") else None,
                receipts=MappingProxyType({"sent": now_s}),
            )
        )
        self.courier.post(message_item(message, person, number))
        return message

    def business_reads(self, phone_number_id: str, request: MarkRead) -> None:
        """Blue ticks up to this message, and the typing indicator when asked for. Raises GraphError."""
        message = self._message_of(phone_number_id, request.message_id)
        if message is None or message.direction is not Direction.FROM_PERSON:
            raise errors.bad_parameter("message_id: no message of a person has this id")
        for earlier in self.world.conversation(message.person_id, phone_number_id):
            if earlier.direction is Direction.FROM_PERSON and earlier.at_s <= message.at_s:
                self.world.stamp(earlier.wamid, "read")
        if request.typing_indicator is not None:
            self.world.start_typing(message.person_id, phone_number_id)

    def business_sends(self, phone_number_id: str, request: Send) -> tuple[Person, Message]:
        """A checked message of the business reaches a phone, or is refused as Graph refuses. Raises GraphError."""
        person = self._recipient(request)
        if not self.world.window_open(person.id, phone_number_id):
            raise errors.window_closed()
        if request.context is not None and self._message_of(phone_number_id, request.context.message_id) is None:
            raise errors.bad_parameter("context.message_id: no such message in this conversation")
        media = self._media_of(phone_number_id, request)
        if isinstance(request, SendReaction):
            if self._message_of(phone_number_id, request.reaction.message_id) is None:
                raise errors.bad_parameter("reaction.message_id: no such message in this conversation")
            self.world.react(request.reaction.message_id, Direction.FROM_BUSINESS, request.reaction.emoji)
        message = self.world.add_message(
            Message(
                wamid=new_wamid(),
                person_id=person.id,
                phone_number_id=phone_number_id,
                direction=Direction.FROM_BUSINESS,
                type=request.type,
                node=_node(request),
                at_s=self.world.clock(),
                context_id=request.context.message_id if request.context else None,
                callback_data=request.biz_opaque_callback_data,
                media_id=media.id if media else None,
                shown_as=_shown_as(request, media),
                failure=self._late_failure(media),
            )
        )
        return person, message

    def deliver(self, message: Message) -> None:
        """An accepted message arrives, or fails late; nothing happens by itself with `auto_deliver` off."""
        if not self._config.auto_deliver:
            return
        for status in ("sent", "delivered") if message.failure is None else ("failed",):
            self.receipt(message.wamid, status)

    def receipt(self, wamid: str, status: str, *, failure: Failure | None = None) -> Message:
        """A receipt for a message of the business happens: stamped once, posted once. A repeat changes nothing."""
        message = self.world.message(wamid)
        if message.direction is not Direction.FROM_BUSINESS:
            raise errors.PhoneError("receipts are for messages of the business")
        if status == "played" and message.shown_as is not ShownAs.VOICE_NOTE:
            raise errors.PhoneError("only voice notes are played", http_status=409)
        if status in message.receipts:
            return message
        if failure is not None:
            message = self.world.update(wamid, failure=failure)
        message = self.world.stamp(wamid, status)
        person, number = self.world.person(message.person_id), self.world.number(message.phone_number_id)
        self.courier.post(status_item(message, person, number, status, message.receipts[status]))
        return message

    def person_reads(self, person_id: str, phone_number_id: str) -> int:
        """The person looks at the chat: everything delivered and unread becomes read. Returns how many."""
        unread = [m for m in self.world.conversation(person_id, phone_number_id) if is_unread(m)]
        for message in unread:
            self.receipt(message.wamid, "read")
        return len(unread)

    def _recipient(self, request: Send) -> Person:
        person = self.world.find_recipient(digits(request.to) if request.to else request.recipient)
        if person is None:
            raise errors.undeliverable()
        return person

    def _message_of(self, phone_number_id: str, wamid: str) -> Message | None:
        message = self.world.message(wamid) if self.world.knows(wamid) else None
        return message if message and message.phone_number_id == phone_number_id else None

    def _media_of(self, phone_number_id: str, request: Send) -> Media | None:
        if not isinstance(request, SendAudio):
            return None
        media = self.world.media(request.audio.id)
        expired = self.faults.take(Fault.EXPIRED_MEDIA, Operation.SEND)
        if expired or media is None or media.phone_number_id != phone_number_id:
            raise errors.missing_object(request.audio.id)
        return media

    def _late_failure(self, media: Media | None) -> Failure | None:
        if media is None:
            return None
        if self.faults.take(Fault.LATE_MEDIA_ERROR, Operation.SEND):
            return LATE_MEDIA_ERROR
        problem = media_problem(media)
        return Failure(code=131053, title="Media upload error", details=problem) if problem else None


def is_unread(message: Message) -> bool:
    """Whether a message of the business waits on the phone to be seen."""
    return (
        message.direction is Direction.FROM_BUSINESS
        and "delivered" in message.receipts
        and "read" not in message.receipts
    )


def media_problem(media: Media) -> str | None:
    """Why Meta would fail this upload later with 131053, None when it would not."""
    if not media.filename.lower().endswith(".ogg"):
        return f"the file name {media.filename!r} does not end in .ogg: taken for application/octet-stream"
    return media.audio.problem if media.audio else "the file was never decoded"


def _shown_as(request: Send, media: Media | None) -> ShownAs | None:
    if not isinstance(request, SendAudio) or media is None:
        return None
    if len(media.data) > VOICE_NOTE_LIMIT_BYTES:
        return ShownAs.DOWNLOAD
    return ShownAs.VOICE_NOTE if request.audio.voice else ShownAs.AUDIO_FILE


def _node(request: Send) -> dict[str, Any]:
    match request:
        case SendText():
            part: Any = request.text
        case SendAudio():
            part = request.audio
        case SendInteractive():
            part = request.interactive
        case SendReaction():
            part = request.reaction
        case _:
            assert_never(request)
    node: dict[str, Any] = part.model_dump(exclude_defaults=False, exclude_none=True)
    return node
