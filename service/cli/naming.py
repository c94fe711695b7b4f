"""How recordings are named on the command line: by the service's id, or by a Dragon client's own two ids."""

from service.client import ClientFailure, RecordingsClient


async def service_id(client: RecordingsClient, named: str) -> str:
    """The service's id for `rec_…` or `CORRELATION_ID/RECORDING_ID`. Raises: ClientFailure."""
    correlation_id, slash, number = named.rpartition("/")
    if not slash:
        return named
    if not (number.isascii() and number.isdigit()):
        raise ClientFailure(f"{named} is neither rec_… nor CORRELATION_ID/RECORDING_ID.")
    found = await client.search(correlation_id, int(number))
    if not found:
        raise ClientFailure(f"There is no recording {number} in session {correlation_id}, or this key may not see it.")
    return found[0].id
