"""Dragon's handlers and what belongs to them: which tokens are accepted, and the development issuer."""

from aiohttp import web

from adapters.tokens.signing import SigningKey
from service.dialects.dragon.audio import Audio
from service.dialects.dragon.dev_credentials import SIGNING_KEY_FILE
from service.dialects.dragon.dev_issuer import DevClient, DevIssuer
from service.dialects.dragon.dev_issuer_api import DevIssuerApi
from service.dialects.dragon.errors import ERRORS, check_protocol, other_protocol
from service.dialects.dragon.mending import Mending
from service.dialects.dragon.names import DIALECT
from service.dialects.dragon.reference import REFERENCE
from service.dialects.dragon.sessions import Sessions
from service.dialects.dragon.settings import DragonSettings
from service.dialects.dragon.trust import Trust
from service.dialects.dragon.writers import Writers
from service.dialects.http.api import Api
from service.dialects.http.parts import Parts


def _install(app: web.Application, parts: Parts) -> None:
    settings, dev_issuer = parts.settings.section(DragonSettings), _dev_issuer(parts)
    trust = Trust(settings.allow_list, dev_issuer, clock=parts.clock)

    async def close(_: web.Application) -> None:
        await trust.close()

    app.on_cleanup.append(close)
    sessions, tokens, limits = parts.sessions, trust.verifier, parts.limits
    writers = Writers(parts.uploads, sessions, tokens, settings)
    Audio(parts.uploads, writers, limits).add_routes(app.router)
    Mending(parts.queries, parts.lifecycle, writers, limits).add_routes(app.router)
    Sessions(sessions, tokens, limits).add_routes(app.router)
    if dev_issuer is not None:
        DevIssuerApi(dev_issuer, parts.limits).add_routes(app.router)


def _dev_issuer(parts: Parts) -> DevIssuer | None:
    """The development issuer, if there are development credentials."""
    entry = parts.dev_credentials.get(DIALECT)
    if entry is None:
        return None
    key = SigningKey.load_or_create(parts.settings.data_dir / SIGNING_KEY_FILE)
    return DevIssuer(parts.settings.base_url, DevClient.of(entry), key, clock=parts.clock, new_id=parts.new_id)


API = Api(
    paths=("/audio/", "/ambient-sessions"),
    errors=ERRORS,
    reference=REFERENCE,
    install=_install,
    claims=lambda request: other_protocol(request) is not None,
    check=check_protocol,
)
