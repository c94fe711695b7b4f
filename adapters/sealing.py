"""Encrypts texts for storage with a key that is in a file of its own, readable only by its owner."""

import secrets
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.private_files import load_or_create_key

_NONCE_BYTES, _KEY_BYTES = 12, 32


class Sealer:
    """AES-256-GCM; each text is bound to the name of what it belongs to."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def with_key_file(cls, path: Path, *, name: str, if_lost: str) -> "Sealer":
        """The key is created on first use. `name`, and `if_lost`, which says what a new key costs, are for the error.

        Raises: DamagedKey; OSError.
        """
        return cls(load_or_create_key(path, _KEY_BYTES, name=name, if_lost=if_lost))

    def seal(self, text: str, *, name: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text.encode(), name.encode())

    def unseal(self, sealed: bytes, *, name: str) -> str:
        """Raises: cryptography.exceptions.InvalidTag if it was sealed with another key or under another name."""
        nonce, encrypted = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        return self._cipher.decrypt(nonce, encrypted, name.encode()).decode()
