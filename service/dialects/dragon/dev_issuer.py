"""A development issuer inside the service, for Dragon's clients: it issues tokens only to the development client.

It exists only with development credentials, and these exist only in development mode.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

from adapters.tokens.allow_list import Application, Issuer
from adapters.tokens.signing import SigningKey
from service.application.clock import Clock
from service.dialects.dragon.dev_credentials import AUDIENCE, ISSUER_PATH, TOKEN_PATH

KEYS_PATH = f"{ISSUER_PATH}/keys"
TOKEN_LIFETIME = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class DevClient:
    """The development client, and the ids it may write for. Ids are UUIDs in lower case."""

    client_id: str
    client_secret: str = field(repr=False)
    customer_id: str
    partner_id: str
    product_id: str

    @classmethod
    def of(cls, entry: Mapping[str, str]) -> "DevClient":
        """The client that the development credentials describe."""
        return cls(**{field.name: entry[field.name] for field in fields(cls)})


class DevIssuer:
    """Issues tokens that the service then trusts; its keys get here without the network."""

    def __init__(self, base_url: str, client: DevClient, key: SigningKey, *, clock: Clock, new_id: Callable[[], str]):
        self.name = base_url + ISSUER_PATH
        self._client = client
        self._key = key
        self._clock = clock
        self._new_id = new_id

    @property
    def listed(self) -> Issuer:
        """Its entry on the allow list."""
        client = self._client
        application = Application(
            id=client.client_id,
            customers=frozenset({client.customer_id}),
            partners=frozenset({client.partner_id}),
            products=frozenset({client.product_id}),
        )
        return Issuer(self.name, frozenset({AUDIENCE}), frozenset(), {application.id: application})

    @property
    def metadata(self) -> dict[str, Any]:
        """OpenID Connect Discovery 1.0."""
        base_url = self.name.removesuffix(ISSUER_PATH)
        return {
            "issuer": self.name,
            "jwks_uri": base_url + KEYS_PATH,
            "token_endpoint": base_url + TOKEN_PATH,
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }

    @property
    def key(self) -> SigningKey:
        return self._key

    def knows(self, client_id: str, client_secret: str) -> bool:
        known = (self._client.client_id.encode(), self._client.client_secret.encode())
        given = (client_id.encode("utf-8", "surrogatepass"), client_secret.encode("utf-8", "surrogatepass"))
        same = [hmac.compare_digest(*pair) for pair in zip(known, given, strict=True)]
        return all(same)  # both are compared, whatever the first comparison gives

    def token(self) -> str:
        """A token for the development client."""
        now = int(self._clock().timestamp())
        client_id = self._client.client_id
        return self._key.sign(
            {
                "iss": self.name,
                "sub": client_id,
                "azp": client_id,
                "aud": AUDIENCE,
                "iat": now,
                "nbf": now,
                "exp": now + int(TOKEN_LIFETIME.total_seconds()),
                "jti": self._new_id(),
            }
        )
