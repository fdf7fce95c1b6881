"""Which media addresses may see our access token, and whether what came from them is what was announced. Pure.

A webhook's `url` and the answer of the media endpoint are only text: without this check a forged one would carry the
token away, or make us fetch from inside our own network.
"""

from __future__ import annotations

import base64
import hashlib

import httpx

MEDIA_HOSTS = ("lookaside.fbsbx.com", ".fbsbx.com", ".fbcdn.net", ".whatsapp.net")
"""Hosts of the platform; one with a leading dot stands for everything below it."""

_URL_SAFE = str.maketrans("-_", "+/")


def may_fetch(url: str, *, base_url: str, hosts: tuple[str, ...] = MEDIA_HOSTS) -> bool:
    """Whether `url` is https on one of `hosts`, or of the same origin as the configured API (an emulator, say)."""
    try:
        target, base = httpx.URL(url), httpx.URL(base_url)
    except httpx.InvalidURL:
        return False
    if not target.host or target.userinfo:
        return False
    if (target.scheme, target.host, target.port) == (base.scheme, base.host, base.port):
        return True
    known = any(target.host.endswith(host) if host.startswith(".") else target.host == host for host in hosts)
    return known and target.scheme == "https" and target.port is None


def digest_matches(data: bytes, announced: str) -> bool:
    """Whether `announced` is the SHA-256 of `data`, in base64 (webhooks) or hex (the media endpoint, older samples)."""
    digest = hashlib.sha256(data).digest()
    base64_digest = announced.translate(_URL_SAFE).rstrip("=")
    return announced.lower() == digest.hex() or base64_digest == base64.b64encode(digest).decode().rstrip("=")
