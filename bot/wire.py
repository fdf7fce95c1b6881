"""How inbound messages and what was heard look as bytes in the store. Knows the shapes, not where they are kept."""

from __future__ import annotations

import orjson
from pydantic import TypeAdapter, ValidationError

from bot.ears import Heard
from webhooks.messages import InboundMessage

_MESSAGE = TypeAdapter(InboundMessage)
_HEARD = TypeAdapter(Heard)


class Unreadable(Exception):
    """Stored bytes that this version cannot read; the message names places and problems, never contents."""

    @classmethod
    def because(cls, error: ValidationError) -> Unreadable:
        """Without what pydantic quotes: it may be a person's words."""
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        return cls("; ".join(f"{'.'.join(map(str, one['loc']))}: {one['type']}" for one in problems))


def dump_message(message: InboundMessage) -> bytes:
    """The message as JSON bytes."""
    return orjson.dumps(message)


def load_message(data: bytes) -> InboundMessage:
    """The message that `dump_message` wrote; raises Unreadable."""
    try:
        return _MESSAGE.validate_json(data)
    except ValidationError as error:
        raise Unreadable.because(error) from None


def dump_heard(heard: Heard) -> bytes:
    """What a voice note said, as JSON bytes."""
    return orjson.dumps(heard)


def load_heard(data: bytes) -> Heard:
    """What `dump_heard` wrote; raises Unreadable."""
    try:
        return _HEARD.validate_json(data)
    except ValidationError as error:
        raise Unreadable.because(error) from None
