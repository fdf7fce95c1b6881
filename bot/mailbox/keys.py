"""Names in the store: the one tag, marks and ids. Knows no redis.

Key names hold random ids and keyed hashes only. A wamid carries a phone number in base64 and numbers can be guessed one
by one, so a plain hash would hide neither: the installation's secret keys it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

SHARD = "0"
TAG = f"{{recado:{SHARD}}}"
_MARK_BYTES = 16


def key(*parts: str) -> str:
    """The full name of a key; all share one cluster slot by the tag."""
    return ":".join((TAG, *parts))


def fresh_id() -> str:
    """A random id for a person or a conversation: 80 bits, lower-case hex, no separators."""
    return secrets.token_hex(10)


class Sealer:
    """Makes marks (32 hex digits) of addresses and message ids with the installation's secret."""

    def __init__(self, secret: bytes) -> None:
        self._keyed = hmac.new(secret, digestmod=hashlib.sha256)

    def _mark(self, *parts: str) -> str:
        keyed = self._keyed.copy()
        keyed.update("\x00".join(parts).encode())
        return keyed.digest()[:_MARK_BYTES].hex()

    def message(self, channel: str, message_id: str) -> str:
        """The mark of one message of a channel."""
        return self._mark("message", channel, message_id)

    def phone(self, channel: str, phone: str | None) -> str:
        """The alias behind a phone number; empty for none."""
        return self._mark("phone", channel, phone) if phone else ""

    def user(self, channel: str, user_id: str | None) -> str:
        """The alias behind a channel's user id; empty for none."""
        return self._mark("user", channel, user_id) if user_id else ""
