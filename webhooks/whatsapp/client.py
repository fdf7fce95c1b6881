"""The Cloud API as a `Channel`: uploads, sends, reads, downloads. Knows nothing of turns.

Every refusal comes out as an error of the contract (`errors.py` decides which), and no send is repeated here unless no
connection was made. Whoever sends keeps the pace (`Pace`) before. An accepted send is not a delivery:
the receipt follows as a webhook, found again by the callback data.

Source: Meta, "Messages", "Media" and "Mark messages as read" references of the Cloud API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote as quote_path

import httpx

from webhooks.contract import Ambiguous, ChannelError, MediaRefused, MediaUnavailable, NotSent
from webhooks.messages import MediaRef, Menu, Person
from webhooks.whatsapp import payloads
from webhooks.whatsapp.graph import Graph, GraphConfig, MediaTooLarge
from webhooks.whatsapp.media_urls import digest_matches


class WhatsAppClient:
    """Speaks to people through one access token. Implements `webhooks.contract.Channel`."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    @classmethod
    def over(cls, http: httpx.AsyncClient, config: GraphConfig) -> WhatsAppClient:
        """The client over an HTTP client that the caller opens and closes."""
        return cls(Graph(http=http, config=config))

    async def upload_voice(self, endpoint_id: str, data: bytes) -> str:
        """See `Channel.upload_voice`. Uploaded ids live 30 days."""
        payloads.check_voice_note(data)
        fields = {"messaging_product": "whatsapp", "type": payloads.VOICE_MIME_TYPE}
        file = (payloads.VOICE_FILENAME, data, payloads.VOICE_MIME_TYPE)
        answer = await self._graph.upload(f"{_segment(endpoint_id)}/media", fields, file)
        media_id = answer.get("id")
        if not media_id:
            raise NotSent("the upload was answered without a media id")
        return str(media_id)

    async def send_voice(
        self, endpoint_id: str, to: Person, media_id: str, *, quote: str | None, callback_data: str
    ) -> str:
        """See `Channel.send_voice`."""
        return await self._send(endpoint_id, payloads.voice(to, media_id, quote=quote, callback_data=callback_data))

    async def send_text(self, endpoint_id: str, to: Person, body: str, *, quote: str | None, callback_data: str) -> str:
        """See `Channel.send_text`."""
        return await self._send(endpoint_id, payloads.text(to, body, quote=quote, callback_data=callback_data))

    async def send_menu(
        self, endpoint_id: str, to: Person, body: str, menu: Menu, *, quote: str | None, callback_data: str
    ) -> str:
        """See `Channel.send_menu`. Labels are shortened to the platform's limits."""
        return await self._send(endpoint_id, payloads.menu(to, body, menu, quote=quote, callback_data=callback_data))

    async def mark_read(self, endpoint_id: str, message_id: str, *, typing: bool) -> None:
        """See `Channel.mark_read`."""
        await self._graph.post(f"{_segment(endpoint_id)}/messages", payloads.read_receipt(message_id, typing=typing))

    async def download(self, endpoint_id: str, media: MediaRef, *, max_bytes: int) -> bytes:  # noqa: ARG002  media ids are global here
        """See `Channel.download`. A `url` of the webhook is tried first; it lives 5 minutes, the id 7 days."""
        data = await self._download_directly(media, max_bytes=max_bytes)
        if data is None or not _as_announced(media, data):
            data = await self._download_by_id(media, max_bytes=max_bytes)
        if not _as_announced(media, data):
            raise MediaUnavailable("the media is not what was announced", retryable=True)
        return data

    async def delete_media(self, endpoint_id: str, media_id: str) -> None:  # noqa: ARG002  media ids are global here
        """See `Channel.delete_media`. What is gone already is fine."""
        try:
            await self._graph.delete(_segment(media_id))
        except MediaRefused:
            return

    async def _send(self, endpoint_id: str, payload: Mapping[str, Any]) -> str:
        answer = await self._graph.send(f"{_segment(endpoint_id)}/messages", payload)
        try:
            return str(answer["messages"][0]["id"])
        except (KeyError, IndexError, TypeError) as error:
            raise Ambiguous("the send was answered without a message id") from error

    async def _download_directly(self, media: MediaRef, *, max_bytes: int) -> bytes | None:
        if not media.url:
            return None
        try:
            return await self._graph.fetch(media.url, max_bytes=max_bytes)
        except MediaTooLarge:
            raise
        except MediaUnavailable:
            return None

    async def _download_by_id(self, media: MediaRef, *, max_bytes: int) -> bytes:
        try:
            found = await self._graph.get(_segment(media.media_id))
        except ChannelError as error:
            raise MediaUnavailable(str(error), code=error.code, retryable=error.retryable) from error
        if isinstance(size_bytes := found.get("file_size"), int) and size_bytes > max_bytes:
            raise MediaTooLarge(f"the media has {size_bytes} bytes, more than {max_bytes}")
        return await self._graph.fetch(str(found.get("url", "")), max_bytes=max_bytes)


def _as_announced(media: MediaRef, data: bytes) -> bool:
    return not media.sha256_base64 or digest_matches(data, media.sha256_base64)


def _segment(identifier: str) -> str:
    return quote_path(identifier, safe="")
