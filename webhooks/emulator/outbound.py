"""Reads what the business posts to `/messages` as strictly as Graph does. Pure: it checks shapes and limits, no state.

Limits from Meta's pages on text, audio, interactive list, reply button and reaction messages.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from webhooks.emulator.errors import GraphError, bad_parameter, bad_request, missing_parameter


class Strict(BaseModel):
    """Unknown keys are refused, types are not coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _text(limit: int) -> Any:
    return Field(min_length=1, max_length=limit)


class Text(Strict):
    """`text`."""

    body: Annotated[str, _text(4096)]
    preview_url: bool = False


class Audio(Strict):
    """`audio`: by id only, links would leave the machine."""

    id: Annotated[str, _text(128)]
    voice: bool = False


class Reaction(Strict):
    """`reaction`; an empty emoji takes it back."""

    message_id: Annotated[str, _text(512)]
    emoji: Annotated[str, Field(max_length=32)]


class TextHeader(Strict):
    """The only header kind that needs no media."""

    type: Literal["text"]
    text: Annotated[str, _text(60)]


class Body(Strict):
    """The text above rows or buttons."""

    text: Annotated[str, _text(1024)]


class Footer(Strict):
    """The small line below."""

    text: Annotated[str, _text(60)]


class Row(Strict):
    """A line of a list."""

    id: Annotated[str, _text(200)]
    title: Annotated[str, _text(24)]
    description: Annotated[str, Field(max_length=72)] = ""


class Section(Strict):
    """A group of rows."""

    title: Annotated[str, Field(max_length=24)] = ""
    rows: Annotated[list[Row], Field(min_length=1, max_length=10)]


class ListAction(Strict):
    """The button that opens the list, and its rows: 10 at most over all sections, ids unique."""

    button: Annotated[str, _text(20)]
    sections: Annotated[list[Section], Field(min_length=1, max_length=10)]

    @model_validator(mode="after")
    def _rows_fit(self) -> Self:
        ids = [row.id for section in self.sections for row in section.rows]
        if len(ids) > 10:
            raise ValueError(f"{len(ids)} rows, 10 at most")
        if len(set(ids)) < len(ids):
            raise ValueError("row ids repeat")
        if len(self.sections) > 1 and not all(section.title for section in self.sections):
            raise ValueError("every section needs a title when there are several")
        return self


class Reply(Strict):
    """What a button answers."""

    id: Annotated[str, _text(256)]
    title: Annotated[str, _text(20)]


class ReplyButton(Strict):
    """One button."""

    type: Literal["reply"]
    reply: Reply


class ButtonAction(Strict):
    """One to three buttons, ids and titles unique."""

    buttons: Annotated[list[ReplyButton], Field(min_length=1, max_length=3)]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for values in ([b.reply.id for b in self.buttons], [b.reply.title for b in self.buttons]):
            if len(set(values)) < len(values):
                raise ValueError("button ids and titles must differ")
        return self


class ListMenu(Strict):
    """`interactive` with rows."""

    type: Literal["list"]
    header: TextHeader | None = None
    body: Body
    footer: Footer | None = None
    action: ListAction


class ButtonMenu(Strict):
    """`interactive` with buttons."""

    type: Literal["button"]
    header: TextHeader | None = None
    body: Body
    footer: Footer | None = None
    action: ButtonAction


class Context(Strict):
    """The message that is quoted."""

    message_id: Annotated[str, _text(512)]


class _Send(Strict):
    messaging_product: Literal["whatsapp"]
    recipient_type: Literal["individual"] = "individual"
    to: Annotated[str, Field(max_length=128)] = ""
    recipient: Annotated[str, Field(max_length=128)] = ""
    context: Context | None = None
    biz_opaque_callback_data: Annotated[str, Field(max_length=512)] | None = None

    @model_validator(mode="after")
    def _has_recipient(self) -> Self:
        if not (self.to or self.recipient):
            raise ValueError("'to' or 'recipient' is required")
        return self


class SendText(_Send):
    """A text; `type` may be left out, as Meta allows."""

    type: Literal["text"] = "text"
    text: Text


class SendAudio(_Send):
    """A voice note or an audio file."""

    type: Literal["audio"]
    audio: Audio


class SendInteractive(_Send):
    """A list or buttons."""

    type: Literal["interactive"]
    interactive: Annotated[ListMenu | ButtonMenu, Field(discriminator="type")]


class SendReaction(_Send):
    """An emoji on a message."""

    type: Literal["reaction"]
    reaction: Reaction


class TypingIndicator(Strict):
    """Only `text` exists: no variant for recording was found."""

    type: Literal["text"]


class MarkRead(Strict):
    """A read receipt, with or without the typing indicator."""

    messaging_product: Literal["whatsapp"]
    status: Literal["read"]
    message_id: Annotated[str, _text(512)]
    typing_indicator: TypingIndicator | None = None


Send = SendText | SendAudio | SendInteractive | SendReaction

_SENDS: dict[str, TypeAdapter[Any]] = {
    "text": TypeAdapter(SendText),
    "audio": TypeAdapter(SendAudio),
    "interactive": TypeAdapter(SendInteractive),
    "reaction": TypeAdapter(SendReaction),
    "read": TypeAdapter(MarkRead),
}


def read(body: object) -> Send | MarkRead:
    """The checked request. Raises GraphError 100, 131008 (missing), 131009 (limit) or 131051 (type)."""
    if not isinstance(body, dict):
        raise bad_request("the body must be a JSON object")
    kind = "read" if "status" in body else body.get("type", "text")
    if not isinstance(kind, str) or kind not in _SENDS:
        raise GraphError(131051, "Message type is not supported", details=f"This emulator sends no {kind!r} messages")
    try:
        checked: Send | MarkRead = _SENDS[kind].validate_python(body)
    except ValidationError as error:
        raise _refusal(error) from error
    return checked


def _refusal(error: ValidationError) -> GraphError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    details = f"{path or 'body'}: {first['msg']}"
    if first["type"] == "missing":
        return missing_parameter(details)
    if first["type"] in {"extra_forbidden", "dict_type", "model_type", "union_tag_invalid"}:
        return bad_request(details)
    return bad_parameter(details)
