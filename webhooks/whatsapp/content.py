"""What a message says, whatever its type: words, a machine id, media, another message. Pure; knows no envelope."""

from __future__ import annotations

from dataclasses import dataclass

from webhooks.messages import MediaRef, MessageKind
from webhooks.whatsapp import wire

_NEVER_SENT = {MessageKind.CALL, MessageKind.UNSUPPORTED}  # our words, not types of the platform
_KINDS = {kind.value: kind for kind in MessageKind if kind not in _NEVER_SENT} | {"voice": MessageKind.AUDIO}
TYPES = tuple(sorted(_KINDS))
"""The platform's names of all types of which more is known than that they exist."""
_TAPS = frozenset({"button_reply", "list_reply", "nfm_reply"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The part of a message that depends on its type; the fields mean what they mean in `InboundMessage`."""

    kind: MessageKind
    text: str | None = None
    payload: str | None = None
    media: MediaRef | None = None
    target_id: str | None = None
    raw_type: str | None = None


def said(message: wire.WireMessage) -> Said:
    """The content of any message; a type nobody knows is UNSUPPORTED, a known one without its content has its kind."""
    match message:
        case wire.TextMessage(text=node):
            return Said(kind=MessageKind.TEXT, text=node.body)
        case wire.MediaMessage(media=node):
            return _said_media(message.type or "", node or wire.MediaNode())
        case wire.InteractiveMessage(interactive=node):
            return _said_interactive(node or wire.InteractiveNode())
        case wire.ButtonMessage(button=node):
            return Said(
                kind=MessageKind.BUTTON, text=node.text if node else None, payload=node.payload if node else None
            )
        case wire.ReactionMessage(reaction=node):
            emoji, target = (node.emoji, node.message_id) if node else (None, None)
            return Said(kind=MessageKind.REACTION, text=emoji or None, target_id=target)
        case wire.OrderMessage(order=node):
            return Said(kind=MessageKind.ORDER, text=(node.text or None) if node else None)
        case wire.EditMessage(edit=node):
            target = node.original_message_id if node else None
            return Said(kind=MessageKind.EDIT, text=_edited_text(node.message if node else None), target_id=target)
        case wire.RevokeMessage(revoke=node):
            return Said(kind=MessageKind.REVOKE, target_id=node.original_message_id if node else None)
        case _:
            return Said(kind=_KINDS.get(message.type or "", MessageKind.UNSUPPORTED))


def _said_media(raw_type: str, node: wire.MediaNode) -> Said:
    kind = MessageKind.AUDIO if raw_type == "voice" else MessageKind(raw_type)
    if node.id is None:
        return Said(kind=kind, text=node.caption or None)
    media = MediaRef(
        media_id=node.id,
        mime_type=node.mime_type or "application/octet-stream",
        sha256_base64=node.sha256 or None,
        url=node.url or None,
        voice=raw_type == "voice" or bool(node.voice),
        filename=node.filename or None,
    )
    return Said(kind=kind, text=node.caption or None, media=media)


def _said_interactive(node: wire.InteractiveNode) -> Said:
    if reply := node.button_reply or node.list_reply:
        return Said(kind=MessageKind.INTERACTIVE, text=reply.title or None, payload=reply.id)
    if form := node.nfm_reply:
        return Said(kind=MessageKind.INTERACTIVE, text=form.body or None, payload=form.response_json or None)
    if node.type is None or node.type in _TAPS:  # a tap whose node is missing
        return Said(kind=MessageKind.INTERACTIVE)
    return Said(kind=MessageKind.UNSUPPORTED, raw_type=f"interactive.{node.type}"[:64])


def _edited_text(message: wire.EditedNode | None) -> str | None:
    if message is None:
        return None
    if message.text:
        return message.text.body
    captioned = message.image or message.video or message.document
    return captioned.caption if captioned else None
