"""The parts of an answer and how each comes to its person. Sans-IO: no clock, no network, no redis, no model.

    PLANNED ─Spoken→ AUDIO ─Uploaded→ UPLOADED ─SendStarted→ SENDING ─Accepted→ SENT
       │ (a text or menu skips AUDIO and UPLOADED)              │
       └─VoiceGivenUp→ PLANNED as text                          ├─NotTaken→ ready again (PLANNED or UPLOADED)
                                                                ├─Refused→ FAILED; a note: AUDIO once, then text
                                                                └─Unclear (or a crash)→ UNSURE
    UNSURE ─Accepted (a receipt)→ SENT · ─SendOnceMore (path alive, no receipt)→ ready · ─NeverConfirmed→ UNCONFIRMED

There is no idempotency key at the channel. A part is therefore sent again only after a definite "not taken", or once
after a grace in which receipts for other sends arrived and none for this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import assert_never

from webhooks.messages import Menu


class PartKind(StrEnum):
    """What a part of the answer is."""

    TEXT = "text"
    VOICE = "voice"
    MENU = "menu"


class PartState(StrEnum):
    """Where a part is on its way; the picture is in the module's docstring."""

    PLANNED = "planned"
    AUDIO = "audio"
    UPLOADED = "uploaded"
    SENDING = "sending"
    UNSURE = "unsure"
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"
    UNCONFIRMED = "unconfirmed"


SETTLED = frozenset({PartState.SENT, PartState.FAILED, PartState.DROPPED, PartState.UNCONFIRMED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One message of the answer. `text` is what is said or sent; `menu` makes it a list to choose from.

    `attempt` counts the sends that may have reached the channel and is part of the callback data, so that a receipt
    names the send it belongs to. `fallback_reason` says why a planned voice note became text.
    """

    kind: PartKind
    text: str = field(repr=False)
    menu: Menu | None = None
    state: PartState = PartState.PLANNED
    attempt: int = 0
    resent: bool = False  # the one send after an ambiguous one is used up
    reuploads: int = 0
    sending_at_ms: int = 0
    blob_id: str = ""
    duration_s: float = 0.0
    media_id: str = ""
    message_id: str = field(default="", repr=False)
    fallback_reason: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Spoken:
    """The note of a part lies in the blob store."""

    index: int
    blob_id: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class VoiceGivenUp:
    """A part will be text after all."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class BlobLost:
    """The note is gone from the blob store: speak it again."""

    index: int


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The channel holds the note."""

    index: int
    media_id: str


@dataclass(frozen=True, slots=True)
class SendStarted:
    """From here on the part may reach the person."""

    index: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """The channel took the part."""

    index: int
    message_id: str


@dataclass(frozen=True, slots=True)
class NotTaken:
    """Definitely not taken: safe to send again."""

    index: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Definitely refused for good; `media` says that the note itself is the reason."""

    index: int
    reason: str
    media: bool


@dataclass(frozen=True, slots=True)
class Unclear:
    """No definite answer, or the process died while sending."""

    index: int


@dataclass(frozen=True, slots=True)
class SendOnceMore:
    """The grace is over, the receipt path is alive and silent about this part."""

    index: int


@dataclass(frozen=True, slots=True)
class NeverConfirmed:
    """Nothing was heard for too long."""

    index: int


PartEvent = (
    Spoken
    | VoiceGivenUp
    | BlobLost
    | Uploaded
    | SendStarted
    | Accepted
    | NotTaken
    | Refused
    | Unclear
    | SendOnceMore
    | NeverConfirmed
)


class IllegalEvent(Exception):
    """Our own mistake: this event cannot happen in this state. Nothing was changed."""


_S = PartState
# Which events a part's state allows. What an event leads to can depend on the part's kind: see `part_after`.
PART_EVENTS: Mapping[PartState, frozenset[type]] = {
    _S.PLANNED: frozenset({Spoken, VoiceGivenUp, SendStarted}),
    _S.AUDIO: frozenset({Uploaded, BlobLost, VoiceGivenUp}),
    _S.UPLOADED: frozenset({SendStarted, VoiceGivenUp}),
    _S.SENDING: frozenset({Accepted, NotTaken, Refused, Unclear}),
    _S.UNSURE: frozenset({Accepted, NotTaken, Refused, SendOnceMore, NeverConfirmed}),
    _S.SENT: frozenset({Refused}),  # a `failed` receipt after a wamid: accepted is not delivered
    _S.FAILED: frozenset({Accepted}),  # `delivered` may follow `failed`
    _S.DROPPED: frozenset(),
    _S.UNCONFIRMED: frozenset({Accepted}),
}


def part_after(part: Part, event: PartEvent) -> Part:
    """The part after `event`; raises IllegalEvent when the table does not allow it."""
    if type(event) not in PART_EVENTS[part.state]:
        raise IllegalEvent(f"{type(event).__name__} in part state {part.state}")
    match event:
        case Spoken(blob_id=blob_id, duration_s=duration_s):
            _require_voice(part, event)
            return replace(part, state=_S.AUDIO, blob_id=blob_id, duration_s=duration_s)
        case Uploaded(media_id=media_id):
            return replace(part, state=_S.UPLOADED, media_id=media_id)
        case BlobLost():
            return replace(part, state=_S.PLANNED, blob_id="", media_id="")
        case VoiceGivenUp(reason=reason):
            _require_voice(part, event)
            return _as_text(part, reason)
        case SendStarted(at_ms=at_ms):
            if part.kind is PartKind.VOICE and part.state is _S.PLANNED:
                raise IllegalEvent("a voice note is sent after its upload, not before")
            return replace(part, state=_S.SENDING, attempt=part.attempt + 1, sending_at_ms=at_ms)
        case Accepted(message_id=message_id):
            return replace(part, state=_S.SENT, message_id=message_id or part.message_id, error="")
        case NotTaken():
            return replace(part, state=_ready(part))
        case Refused(reason=reason, media=media):
            return _refused(part, reason, media=media)
        case Unclear():
            return replace(part, state=_S.UNSURE)
        case SendOnceMore():
            return replace(part, state=_ready(part), resent=True)
        case NeverConfirmed():
            return replace(part, state=_S.UNCONFIRMED, error="unconfirmed")
        case _:
            assert_never(event)


def _require_voice(part: Part, event: PartEvent) -> None:
    if part.kind is not PartKind.VOICE:
        raise IllegalEvent(f"{type(event).__name__} for a {part.kind} part")


def _ready(part: Part) -> PartState:
    return _S.UPLOADED if part.kind is PartKind.VOICE else _S.PLANNED


def _as_text(part: Part, reason: str) -> Part:
    return replace(part, kind=PartKind.TEXT, state=_S.PLANNED, media_id="", fallback_reason=reason)


def _refused(part: Part, reason: str, *, media: bool) -> Part:
    if part.kind is PartKind.VOICE and media and part.reuploads == 0:
        return replace(part, state=_S.AUDIO, media_id="", reuploads=1)
    if part.kind is PartKind.VOICE and media:
        return _as_text(part, reason)
    return replace(part, state=_S.FAILED, error=reason)


def part_again(part: Part) -> Part:
    """The part, ready to be sent once more because an operator decided so."""
    return replace(part, state=_ready(part) if part.media_id else _S.PLANNED, error="", resent=False)
