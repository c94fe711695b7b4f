"""Signs tokens with our own key: a P-256 key in a file, created on first use, readable only by its owner."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk, jws
from jose.exceptions import JWKError

from adapters.private_files import DamagedKey, load_or_create
from adapters.tokens.public_keys import KeySet

ALGORITHM = "ES256"


class SigningKey:
    """One key; `jwks` is the set that verifies what it signs."""

    def __init__(self, pem: bytes) -> None:
        self._key = jwk.construct(pem, ALGORITHM)
        public = self._key.public_key().to_dict()
        self._kid = _name(pem)
        members = {name: _text(public[name]) for name in ("kty", "crv", "x", "y")}
        self.jwks: dict[str, Any] = {"keys": [members | {"kid": self._kid, "use": "sig", "alg": ALGORITHM}]}

    @classmethod
    def load_or_create(cls, path: Path) -> "SigningKey":
        """The key in the file at `path`. Raises: DamagedKey; OSError."""
        pem = load_or_create(path, _new_pem)
        try:
            return cls(pem)
        except (JWKError, ValueError) as error:
            raise DamagedKey(path, "a P-256 key in PEM", "tokens signed before are void") from error

    def key_set(self) -> KeySet:
        return KeySet.from_jwks(self.jwks)

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A token with these claims."""
        headers = {"kid": self._kid}
        token: str = jws.sign(dict(claims), self._key, headers=headers, algorithm=ALGORITHM)
        return token


def _name(pem: bytes) -> str:
    """A key's name never changes, and no two keys have the same one."""
    public = serialization.load_pem_private_key(pem, password=None).public_key()
    raw = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(raw)
    return urlsafe_b64encode(digest.finalize()).rstrip(b"=").decode()


def _text(member: bytes | str) -> str:
    return member.decode() if isinstance(member, bytes) else member


def _new_pem() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
