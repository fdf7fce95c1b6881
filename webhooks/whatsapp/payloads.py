"""The bodies we post to the Cloud API, and its limits on them. Pure; knows no HTTP.

What can be shortened without harm (labels of a menu) is; what cannot (the words of an answer, the id of a row) is
Refused before anything is sent.

Source: Meta, "Messages API reference" and "Interactive list messages".
"""

from __future__ import annotations

from typing import Any

from webhooks.contract import MediaRefused, Refused
from webhooks.messages import Menu, MenuRow, Person

MAX_TEXT_CHARS = 4096
MAX_ROWS = 10
MAX_ROW_TITLE_CHARS = 24
MAX_ROW_DESCRIPTION_CHARS = 72
MAX_ROW_ID_CHARS = 200
MAX_MENU_BUTTON_CHARS = 20
MAX_CALLBACK_CHARS = 512
MAX_AUDIO_BYTES = 16 * 2**20
VOICE_MIME_TYPE = "audio/ogg; codecs=opus"
VOICE_FILENAME = "voice.ogg"
"""The platform guesses the type from the extension: any other was taken for octet-stream and failed with 131053."""

Payload = dict[str, Any]


def recipient_of(to: Person) -> str:
    """The one address the platform will use: the phone number, else the business-scoped user id. Refused: neither."""
    address = to.phone or to.user_id
    if not address:
        raise Refused("the person has no address")
    return address


def voice(to: Person, media_id: str, *, quote: str | None, callback_data: str) -> Payload:
    """An uploaded note as a voice message, with play button and waveform."""
    return _message(to, "audio", {"id": media_id, "voice": True}, quote=quote, callback_data=callback_data)


def text(to: Person, body: str, *, quote: str | None, callback_data: str) -> Payload:
    """Plain words; Refused when empty or longer than 4096 characters."""
    return _message(to, "text", {"body": _body(body), "preview_url": False}, quote=quote, callback_data=callback_data)


def menu(to: Person, body: str, choice: Menu, *, quote: str | None, callback_data: str) -> Payload:
    """A list to choose from; labels are shortened to fit, ids never."""
    if not 1 <= len(choice.rows) <= MAX_ROWS:
        raise Refused(f"a menu has 1 to {MAX_ROWS} rows, not {len(choice.rows)}")
    if len({row.id for row in choice.rows}) < len(choice.rows):
        raise Refused("the rows of a menu need different ids")
    node = {
        "type": "list",
        "body": {"text": _body(body)},
        "action": {
            "button": _label(choice.button, MAX_MENU_BUTTON_CHARS),
            "sections": [{"rows": [_row(row) for row in choice.rows]}],
        },
    }
    return _message(to, "interactive", node, quote=quote, callback_data=callback_data)


def read_receipt(message_id: str, *, typing: bool) -> Payload:
    """Blue ticks and, if asked, the typing indicator."""
    payload: Payload = {"messaging_product": "whatsapp", "status": "read", "message_id": message_id}
    return payload | {"typing_indicator": {"type": "text"}} if typing else payload


def check_voice_note(data: bytes) -> None:
    """Raises MediaRefused for what no upload can make a voice note: nothing, no Ogg, or more than 16 MB."""
    if not data.startswith(b"OggS"):
        raise MediaRefused("not an Ogg file")
    if len(data) > MAX_AUDIO_BYTES:
        raise MediaRefused(f"{len(data)} bytes are more than the {MAX_AUDIO_BYTES} that audio may have")


def _message(to: Person, kind: str, node: Payload, *, quote: str | None, callback_data: str) -> Payload:
    if len(callback_data) > MAX_CALLBACK_CHARS:
        raise ValueError(f"callback data is longer than {MAX_CALLBACK_CHARS} characters")
    address = recipient_of(to)
    payload: Payload = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        # Where both stand `to` wins, so only one is ever sent.
        ("to" if to.phone else "recipient"): address,
        "type": kind,
        kind: node,
        "biz_opaque_callback_data": callback_data,
    }
    return payload | {"context": {"message_id": quote}} if quote else payload


def _body(body: str) -> str:
    if not body.strip():
        raise Refused("there are no words to send")
    if len(body) > MAX_TEXT_CHARS:
        raise Refused(f"{len(body)} characters are more than the {MAX_TEXT_CHARS} a text may have")
    return body


def _row(row: MenuRow) -> Payload:
    if not row.id or len(row.id) > MAX_ROW_ID_CHARS:
        raise Refused(f"the id of a menu row has 1 to {MAX_ROW_ID_CHARS} characters")
    node = {"id": row.id, "title": _label(row.title, MAX_ROW_TITLE_CHARS)}
    description = _shorten(row.description, MAX_ROW_DESCRIPTION_CHARS)
    return node | {"description": description} if description else node


def _label(label: str, max_chars: int) -> str:
    if not label.strip():
        raise Refused("a menu label is empty")
    return _shorten(label, max_chars)


def _shorten(words: str, max_chars: int) -> str:
    return words if len(words) <= max_chars else words[: max_chars - 1].rstrip() + "…"
