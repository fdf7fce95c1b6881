"""How inbound messages look as bytes in the store. Knows only the shapes, not where they are kept."""

from __future__ import annotations

import orjson
from pydantic import TypeAdapter

from webhooks.messages import InboundMessage

_MESSAGE = TypeAdapter(InboundMessage)


def dump_message(message: InboundMessage) -> bytes:
    """The message as JSON bytes."""
    return orjson.dumps(message)


def load_message(data: bytes) -> InboundMessage:
    """The message that `dump_message` wrote."""
    return _MESSAGE.validate_json(data)
