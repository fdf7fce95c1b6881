"""The shapes of the Cloud API's webhooks, as far as they are read. Knows neither our messages nor what becomes of them.

Everything unread is kept and ignored (`extra="allow"`), so a new field never breaks an old receiver. An item needs an
id and a time, or it cannot be told from a redelivery. Nearly all else is `Lenient`: broken, it is as if it were absent,
and the item lives on; a message without its content (media the platform could not fetch) is still a message. Items of
lists stay raw here; the parser validates each on its own, so that one broken item costs no neighbour.

Source: Meta, "Messages webhook reference" (one page a message type), "Business-scoped user IDs", "smb_message_echoes",
"user_preferences", "Calling API webhooks", "Groups API".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
)
from pydantic_core import CoreSchema, core_schema

T = TypeVar("T")

_FIRST_MS = 10**11  # as seconds this is the year 5138, as milliseconds 1973: no real time is on the wrong side
_END_OF_TIME = 10**16


class _NoneIfBroken:
    """Makes a value that does not validate None. Stated as a schema: on the hot path no Python runs for it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_default_schema(handler(source), default=None, on_error="default")


def _to_ms(value: object) -> int:
    """Milliseconds since 1970 from seconds or milliseconds, as text or number; both are seen in the wild."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 16:
        value = int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < _END_OF_TIME:
        return int(value) if value >= _FIRST_MS else int(value * 1000)
    raise ValueError("not a time")


def time_of(entry: object) -> int | None:
    """When the news of an entry are from, in milliseconds since 1970, where it says so."""
    try:
        return _to_ms(entry.get("time")) if isinstance(entry, dict) else None
    except ValueError:
        return None


def _to_group(value: object) -> str | None:
    """Whatever stands there but null means a group, even where it is not the name of one: nobody is answered for it."""
    return None if value is None else str(value)[:1024] or "unnamed"


Lenient = Annotated[T | None, _NoneIfBroken()]
TimestampMs = Annotated[int, BeforeValidator(_to_ms)]
Group = Annotated[str | None, BeforeValidator(_to_group)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class Wire(BaseModel):
    """Base of every shape: unknown fields stay, numbers are taken where text is expected."""

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True)


class Metadata(Wire):
    """Which of our numbers is meant."""

    phone_number_id: str = ""


class ErrorData(Wire):
    """The readable part of an error."""

    details: Lenient[str] = None


class WireError(Wire):
    """An error as webhooks carry it."""

    code: Lenient[int] = None
    title: Lenient[str] = None
    message: Lenient[str] = None
    error_data: Lenient[ErrorData] = None


Errors = Lenient[list[Lenient[WireError]]]


class Value(Wire):
    """What a change carries in the fields that are read: messages, echoes, preferences, calls."""

    metadata: Lenient[Metadata] = None
    contacts: Any = None
    messages: Any = None
    statuses: Any = None
    message_echoes: Any = None
    user_preferences: Any = None
    calls: Any = None
    errors: Errors = None


class Profile(Wire):
    """How a person calls themselves."""

    name: str | None = None


class Contact(Wire):
    """Who writes. Either id may be absent: people with a username show no number."""

    wa_id: Lenient[str] = None
    user_id: Lenient[str] = None
    profile: Lenient[Profile] = None


class Context(Wire):
    """What a message refers to."""

    id: Lenient[str] = None
    forwarded: Lenient[bool] = None
    frequently_forwarded: Lenient[bool] = None


class WireStatus(Wire):
    """A receipt for something we sent."""

    id: Identifier
    status: str
    timestamp: TimestampMs
    recipient_id: Lenient[str] = None
    recipient_user_id: Lenient[str] = None
    biz_opaque_callback_data: Lenient[str] = None
    errors: Errors = None


class WireEcho(Wire):
    """A message a colleague sent from the business app."""

    id: Identifier
    timestamp: TimestampMs
    to: Lenient[str] = None
    to_user_id: Lenient[str] = None
    group_id: Group = None


class WirePreference(Wire):
    """What a person wants of a category of messages: `stop` or `resume`."""

    wa_id: Lenient[str] = None
    user_id: Lenient[str] = None
    category: str
    value: str
    timestamp: TimestampMs


class WireCall(Wire):
    """A step of a voice call: `connect` while it rings, `terminate` when it is over."""

    id: Identifier
    timestamp: TimestampMs
    from_: Annotated[Lenient[str], Field(alias="from")] = None
    from_user_id: Lenient[str] = None
    event: Lenient[str] = None
    direction: Lenient[str] = None
    status: Lenient[str] = None
    duration: Lenient[float] = None


class WireMessage(Wire):
    """What every message has; on its own it stands for the types of which nothing more is read."""

    id: Identifier
    timestamp: TimestampMs
    from_: Annotated[Lenient[str], Field(alias="from")] = None
    from_user_id: Lenient[str] = None
    type: Lenient[str] = None
    context: Lenient[Context] = None
    group_id: Group = None
    errors: Errors = None


class TextNode(Wire):
    """Words."""

    body: str


class TextMessage(WireMessage):
    """Typed words."""

    text: TextNode


class MediaNode(Wire):
    """Media at the platform; `url` saves one of the two hops, `voice` tells a voice note from an audio file."""

    id: Lenient[Identifier] = None
    mime_type: Lenient[str] = None
    sha256: Lenient[str] = None
    url: Lenient[str] = None
    voice: Lenient[bool] = None
    caption: Lenient[str] = None
    filename: Lenient[str] = None


class MediaMessage(WireMessage):
    """Audio, image, video, document or sticker; `voice` is the legacy shape of a voice note that is still seen."""

    media: Annotated[
        Lenient[MediaNode],
        Field(validation_alias=AliasChoices("audio", "voice", "image", "video", "document", "sticker")),
    ] = None


class ReplyNode(Wire):
    """A tapped reply button or list row."""

    id: Lenient[str] = None
    title: Lenient[str] = None


class FormNode(Wire):
    """A filled-in form (WhatsApp Flows): the words shown in the chat, and the answers as a JSON text."""

    body: Lenient[str] = None
    response_json: Lenient[str] = None


class InteractiveNode(Wire):
    """What was tapped; a form of tap nobody knew yesterday has none of these."""

    type: Lenient[str] = None
    button_reply: Lenient[ReplyNode] = None
    list_reply: Lenient[ReplyNode] = None
    nfm_reply: Lenient[FormNode] = None


class InteractiveMessage(WireMessage):
    """A tap on something we sent."""

    interactive: Lenient[InteractiveNode] = None


class ButtonNode(Wire):
    """The button's words and its machine id."""

    text: Lenient[str] = None
    payload: Lenient[str] = None


class ButtonMessage(WireMessage):
    """A tap on a template's quick-reply button."""

    button: Lenient[ButtonNode] = None


class ReactionNode(Wire):
    """`emoji` is absent or empty when the reaction was taken back."""

    message_id: Lenient[Identifier] = None
    emoji: Lenient[str] = None


class ReactionMessage(WireMessage):
    """An emoji put on a message."""

    reaction: Lenient[ReactionNode] = None


class OrderNode(Wire):
    """The words that came with a cart."""

    text: Lenient[str] = None


class OrderMessage(WireMessage):
    """A cart; the person may add words."""

    order: Lenient[OrderNode] = None


class EditedNode(Wire):
    """The message as it reads now, with the node of its type."""

    text: Lenient[TextNode] = None
    image: Lenient[MediaNode] = None
    video: Lenient[MediaNode] = None
    document: Lenient[MediaNode] = None


class EditNode(Wire):
    """Which message was changed, and into what."""

    original_message_id: Lenient[Identifier] = None
    message: Lenient[EditedNode] = None


class EditMessage(WireMessage):
    """A message was changed (coexistence only)."""

    edit: Lenient[EditNode] = None


class RevokeNode(Wire):
    """Which message is gone."""

    original_message_id: Lenient[Identifier] = None


class RevokeMessage(WireMessage):
    """A message was deleted for everyone (coexistence only)."""

    revoke: Lenient[RevokeNode] = None


MESSAGE_SHAPES: Mapping[str, type[WireMessage]] = {
    "text": TextMessage,
    "audio": MediaMessage,
    "voice": MediaMessage,
    "image": MediaMessage,
    "video": MediaMessage,
    "document": MediaMessage,
    "sticker": MediaMessage,
    "interactive": InteractiveMessage,
    "button": ButtonMessage,
    "reaction": ReactionMessage,
    "order": OrderMessage,
    "edit": EditMessage,
    "revoke": RevokeMessage,
}
"""The shape of each type of which more than the common part is read; every other type is a plain WireMessage."""
