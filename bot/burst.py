"""What a burst of messages says, read as one. Pure: knows no store, no model and no channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from webhooks.messages import InboundMessage, MessageKind

# Answered with one polite sentence a burst: we can neither read nor hear these.
NOT_UNDERSTOOD = frozenset(
    {
        MessageKind.IMAGE,
        MessageKind.VIDEO,
        MessageKind.DOCUMENT,
        MessageKind.STICKER,
        MessageKind.LOCATION,
        MessageKind.CONTACTS,
        MessageKind.ORDER,
        MessageKind.CALL,
    }
)
_TAPS = frozenset({MessageKind.BUTTON, MessageKind.INTERACTIVE})
# Written down, never answered.
RECORDED_ONLY = frozenset(
    {
        MessageKind.REACTION,
        MessageKind.SYSTEM,
        MessageKind.UNSUPPORTED,
        MessageKind.EDIT,
        MessageKind.REVOKE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """`text` joins all that was written or heard; the flags say what else the burst held.

    `unheard` are voice notes that have no transcript yet; `unclear` says that one had no understandable words.
    """

    text: str = field(repr=False)
    came_as_voice: bool
    unheard: tuple[InboundMessage, ...] = ()
    unclear: bool = False
    not_understood: bool = False
    welcome: bool = False


def read_burst(messages: Sequence[InboundMessage], transcripts: Mapping[str, str]) -> Burst:
    """Read `messages` (in order, at least one) with what was heard so far, message id → text."""
    words: list[str] = []
    unheard: list[InboundMessage] = []
    unclear = False
    for message in messages:
        if message.kind is MessageKind.AUDIO and message.media is None:
            unclear = True  # the platform could not hand the sound over
        elif message.kind is MessageKind.AUDIO:
            heard = transcripts.get(message.message_id)
            if heard is None:
                unheard.append(message)
            elif heard:
                words.append(heard)
            else:
                unclear = True
        elif message.text:
            words.append(message.text)
    return Burst(
        text="\n".join(words),
        came_as_voice=messages[-1].kind is MessageKind.AUDIO,
        unheard=tuple(unheard),
        unclear=unclear,
        not_understood=any(map(_without_meaning, messages)),
        welcome=any(message.kind is MessageKind.REQUEST_WELCOME for message in messages),
    )


def _without_meaning(message: InboundMessage) -> bool:
    """Whether we can make nothing of it: by its kind, or because what it should hold did not arrive."""
    empty = not message.text and not message.payload
    return message.kind in NOT_UNDERSTOOD or (message.kind in _TAPS and empty)
