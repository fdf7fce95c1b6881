"""How inbound messages and what was heard look as bytes in the store. Knows the shapes, not where they are kept."""

from __future__ import annotations

import orjson
from pydantic import TypeAdapter

from bot.ears import Heard
from webhooks.messages import InboundMessage

_MESSAGE = TypeAdapter(InboundMessage)
_HEARD = TypeAdapter(Heard)


def dump_message(message: InboundMessage) -> bytes:
    """The message as JSON bytes."""
    return orjson.dumps(message)


def load_message(data: bytes) -> InboundMessage:
    """The message that `dump_message` wrote."""
    return _MESSAGE.validate_json(data)


def dump_heard(heard: Heard) -> bytes:
    """What a voice note said, as JSON bytes."""
    return orjson.dumps(heard)


def load_heard(data: bytes) -> Heard:
    """What `dump_heard` wrote."""
    return _HEARD.validate_json(data)
