"""Names the coded sound of a file apart from its container. Must not know who made it."""

from __future__ import annotations

import hashlib
import io

import av

from tts.audio.decode import sniff_container
from tts.errors import BadAudio


def coded_audio_sha256(data: bytes) -> str:
    """The SHA-256 of the file's packets, one after another: the same for the same sound in another container.

    Tags, page borders and stream numbers do not count. Raises BadAudio for what holds no audio.
    """
    digest = hashlib.sha256()
    size_bytes = 0
    name = sniff_container(data)
    if name is None:  # named, so that no play list is ever read, which opens further files and addresses
        raise BadAudio("the file holds no audio")
    try:
        with av.open(io.BytesIO(data), "r", format=name, metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise BadAudio("the file holds no audio")
            for packet in container.demux(container.streams.audio[0]):
                digest.update(bytes(packet))
                size_bytes += packet.size
    except av.FFmpegError as error:
        raise BadAudio("the file cannot be read as audio") from error
    if not size_bytes:
        raise BadAudio("the file holds no audio")
    return digest.hexdigest()
