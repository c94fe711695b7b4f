"""Dragon's development credentials: a client of the development issuer, and the ids that it may write for."""

from uuid import UUID

from service.dialects.dialect import DevCredentials, Development, Entry

AUDIENCE = "api://tapedeck"
ISSUER_PATH = "/dev/issuer"
TOKEN_PATH = f"{ISSUER_PATH}/token"
SIGNING_KEY_FILE = "dev-issuer.pem"


def _make(development: Development) -> Entry:
    new_id = development.new_id
    return {
        "audience": AUDIENCE,
        "client_id": f"dev-{new_id()}",
        "client_secret": new_id(),
        "customer_id": str(_customer_of(development.project_id) or _uuid(new_id())),
        "partner_id": str(_uuid(new_id())),
        "product_id": str(_uuid(new_id())),
    }


def _customer_of(project_id: str) -> UUID | None:
    """The customer whose recordings the project's keys see (the inverse of `tenant_of_customer`)."""
    try:
        return UUID(hex=project_id.removeprefix("proj_"))
    except ValueError:
        return None


def _uuid(digits: str) -> UUID:
    return UUID(hex=digits, version=4)


def _addresses(base_url: str) -> Entry:
    return {"issuer": base_url + ISSUER_PATH, "token_url": base_url + TOKEN_PATH}


DEV_CREDENTIALS = DevCredentials(
    make=_make,
    needed=("client_id", "client_secret", "customer_id", "partner_id", "product_id"),
    addresses=_addresses,
    # Without the key, what it signed is void permanently, not only until the service is in development again.
    files=(SIGNING_KEY_FILE,),
)
