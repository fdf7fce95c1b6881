"""Encryption at rest with Fernet (AES-128-CBC and HMAC-SHA256), keys in rotation. Must not know what it seals."""

from __future__ import annotations

from collections.abc import Sequence

from tts.blobs import Cipher
from tts.errors import EngineUnavailable


class FernetCipher:
    """Seals with the first key, opens with any. Keys are Fernet's: 32 bytes in URL-safe base64."""

    def __init__(self, keys: Sequence[str]) -> None:
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 - loads OpenSSL

        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise EngineUnavailable(
                "SAMPLES_KEY is no key. Make one: "
                'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
            ) from error

    def seal(self, data: bytes) -> bytes:
        """The bytes, encrypted and signed by the first key; no two tokens are the same."""
        return self._fernet.encrypt(data)

    def unseal(self, sealed: bytes) -> bytes | None:
        """The bytes again, or None when none of the keys sealed them or somebody changed them."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - loads OpenSSL

        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            return None


def cipher_of(keys: Sequence[str]) -> Cipher | None:
    """The cipher of an installation's keys; None without any. Raises EngineUnavailable with the cure."""
    return FernetCipher(keys) if keys else None
