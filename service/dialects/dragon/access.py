"""Who may do what in Dragon's API: tokens of foreign issuers, and the ids that an application may write for."""

from aiohttp import hdrs, web

from adapters.tokens.allow_list import Application
from adapters.tokens.verification import TokenVerifier
from service.dialects.dragon.errors import NotYours, TokenMissing
from service.dialects.http.held_bytes import CALLER


async def caller(request: web.Request, tokens: TokenVerifier) -> Application:
    """The calling application. A token counts only in the Authorization header (S).

    Raises: TokenMissing; TokenRefused; IssuerNotListed; ApplicationNotListed; IssuerUnavailable.
    """
    given = request.headers.getall(hdrs.AUTHORIZATION, [])
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenMissing
    application = await tokens.verify(token.strip())
    request[CALLER] = f"application {application.id}"
    return application


def check_tenant(
    application: Application, *, customer_id: str, partner_id: str | None = None, product_id: str | None = None
) -> None:
    """(D) The allow list limits the ids that an application may write for. Raises: NotYours."""
    wanted = [
        ("customerId", customer_id, application.customers),
        ("partnerId", partner_id, application.partners),
        ("productId", product_id, application.products),
    ]
    foreign = [name for name, given, own in wanted if given is not None and given not in own]
    if foreign:
        raise NotYours(foreign)
