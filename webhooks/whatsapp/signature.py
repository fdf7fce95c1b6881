"""Proves that a request comes from the platform. Does no I/O and knows nothing of what the bytes say.

The platform signs the exact bytes it sends (code points above U+007F are escaped in them), so only the raw body is
hashed.
Source: Meta, "Webhooks, validating payloads" and "Verification requests".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from webhooks.whatsapp.refusals import HandshakeRefused

SIGNATURE_HEADER = "X-Hub-Signature-256"


def sign(body: bytes, secret: str) -> str:
    """The header value the platform would send for `body`: `sha256=` and 64 lower-case hex digits."""
    return "sha256=" + hmac.digest(secret.encode(), body, hashlib.sha256).hex()


def verify_signature(body: bytes, header: str | None, secrets: Sequence[str]) -> bool:
    """Whether one of `secrets` signed `body`; two are valid at once while a secret is being rotated.

    Never raises: a header with arbitrary characters is simply wrong. An empty secret signs nothing.
    """
    if not header:
        return False
    # Compared as bytes: compare_digest refuses str outside ASCII. Every secret is tried, so the time tells nothing.
    given = header.strip().lower().encode("utf-8", "replace")
    matches = [hmac.compare_digest(sign(body, secret).encode(), given) for secret in secrets if secret]
    return any(matches)


def verify_handshake(query: Mapping[str, str], token: str) -> str:
    """The challenge to answer a subscription request with, as plain text; raises HandshakeRefused.

    An empty `token` (not configured) refuses everybody.
    """
    if query.get("hub.mode") != "subscribe" or "hub.challenge" not in query:
        raise HandshakeRefused("not a subscription request")
    given = query.get("hub.verify_token", "").encode("utf-8", "replace")
    if not token or not hmac.compare_digest(given, token.encode()):
        raise HandshakeRefused("the verify token is wrong")
    return query["hub.challenge"]
