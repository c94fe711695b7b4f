"""The outcome of an HTTP exchange: an answer, a setback that a retry may overcome, or a refusal."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp
import orjson

from service.client.attempts import Setback, retry_after
from service.client.errors import ApiError, ClientFailure

_WORTH_ANOTHER_TRY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


def server_of(url: str) -> str:
    """Name a URL's server without path and query: a signed address must not get into a message or a log."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


@contextmanager
def setbacks() -> Iterator[None]:
    """Turn aiohttp's many exceptions into a Setback, or into a ClientFailure when trying again cannot help.

    A plain OSError passes through: it comes from the caller's own disk, not the network.
    """
    try:
        yield
    except aiohttp.InvalidURL as error:
        raise ClientFailure("The service's address is not a usable URL.") from error
    except aiohttp.ClientSSLError as error:
        raise ClientFailure("The service's TLS certificate could not be verified.") from error
    except aiohttp.ClientConnectorError as error:
        raise Setback(_connecting(error)) from error
    except TimeoutError as error:
        raise Setback("no answer in time") from error
    except (aiohttp.ClientError, ConnectionError) as error:
        raise Setback("the connection was lost") from error


def raise_for(response: aiohttp.ClientResponse, body: bytes) -> None:
    """Do nothing for a success.

    Raises: Setback for 408, 425, 429, 5xx and a body that was damaged on the way; ApiError for the rest.
    """
    if response.status < HTTPStatus.BAD_REQUEST:
        return
    refusal = _refusal(response, body)
    if response.status in _WORTH_ANOTHER_TRY or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        wanted = retry_after(response.headers.get("Retry-After"))
        raise Setback(f"it answered {response.status}", retry_after=wanted, refusal=refusal)
    if _arrived_damaged(refusal):
        raise Setback("the bytes were damaged on the way", refusal=refusal)
    raise refusal


def _arrived_damaged(refusal: ApiError) -> bool:
    about = refusal.details.get("details")
    return refusal.type == "invalid_request" and isinstance(about, dict) and about.get("field") == "Content-MD5"


def _refusal(response: aiohttp.ClientResponse, body: bytes) -> ApiError:
    try:
        error = orjson.loads(body)["error"]
        kind, message = str(error["type"]), str(error["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        # Not an answer of this API: most likely from a proxy in between.
        said = response.reason or "the service refused"
        return ApiError(response.status, "http_error", f"The service answered {said}", {})
    details = {key: value for key, value in error.items() if key not in ("type", "code", "message")}
    return ApiError(response.status, kind, message, details)


def _connecting(error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "no such host"
    if error.os_error.errno == errno.ECONNREFUSED:
        return "connection refused"
    return "no connection"
