"""Reads multipart forms with one file while they arrive.

It counts bytes as it goes, and knows no route and no rule on contents.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import BodyPartReader, web

from webhooks.emulator.errors import BadForm

FILE_LIMIT_BYTES = 16 * 1024 * 1024
FIELD_LIMIT_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedFile:
    """The `file` part as it came."""

    filename: str
    mime_type: str
    data: bytes


async def read_form(request: web.Request) -> tuple[dict[str, str], UploadedFile | None]:
    """The text fields and the part named `file`. Raises BadForm on anything else or anything too large."""
    if request.content_type != "multipart/form-data":
        raise BadForm("the body must be multipart/form-data")
    fields: dict[str, str] = {}
    file: UploadedFile | None = None
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                raise BadForm("the form is nested")
            if part.name == "file":
                mime_type = part.headers.get("Content-Type", "application/octet-stream")
                data = await _read(part, FILE_LIMIT_BYTES)
                file = UploadedFile(filename=part.filename or "", mime_type=mime_type, data=data)
            elif part.name:
                fields[part.name] = (await _read(part, FIELD_LIMIT_BYTES)).decode(errors="replace")
    except ValueError as error:
        raise BadForm("the form is malformed") from error
    return fields, file


async def _read(part: BodyPartReader, limit_bytes: int) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk(64 * 1024):
        data += chunk
        if len(data) > limit_bytes:
            raise BadForm(f"{part.name} is larger than {limit_bytes} bytes")
    return bytes(data)
