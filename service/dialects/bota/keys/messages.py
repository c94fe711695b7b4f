"""What is asked and answered about keys."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from service.dialects.bota.answers import Answer, Time
from service.dialects.bota.requests import BotaRequest, Moment

KEY_ID = r"^[A-Za-z0-9]{12}$"
LONGEST_NAME = 100

KeyId = Annotated[str, Field(pattern=KEY_ID)]
Scope = Annotated[str, Field(pattern=r"^[a-z_]+:[a-z_]+$")]


def _printable(name: str) -> str:
    """`tapedeck keys list` shows it on an operator's terminal."""
    if not name.isprintable():
        raise ValueError("String should have no characters that cannot be seen")
    return name


class CreateKey(BotaRequest):
    """POST /v1/keys (D). A restricted key needs `scopes`, and a secret one has none."""

    kind: Literal["secret", "restricted"] = "restricted"
    scopes: Annotated[list[Scope], Field(max_length=100, default_factory=list)]
    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_printable)] | None = None
    expires_at: Moment | None = None


class RevokeKeyRequest(BaseModel):
    """The query of DELETE /v1/keys/{key_id} (D). `own`: revoke it even if it is the key that asks."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    own: bool = False


class KeyAnswer(Answer):
    """A key, without its token. `scopes`: what it may do; a secret key has all that there are, a client key none.

    `is_current`: whether the request was made with it.
    """

    id: KeyId
    kind: Literal["secret", "restricted", "client", "upload"]
    name: str | None
    project_id: str
    scopes: list[Scope]
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None
    is_current: bool


class KeyCreatedAnswer(KeyAnswer):
    """The token is shown here and never again."""

    token: Annotated[str, Field(pattern=r"^[sr]k_(live|test)_[A-Za-z0-9]{45}$")]
