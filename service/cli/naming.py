"""How people name a recording on the command line: by the service's id, or by a Dragon client's own two ids."""

from service.client import ClientFailure, RecordingsClient


async def service_id(client: RecordingsClient, named: str) -> str:
    """The service's id of what is named `rec_…` or `CORRELATION_ID/RECORDING_ID`. Raises: ClientFailure."""
    correlation_id, slash, number = named.rpartition("/")
    if not slash:
        return named
    if not (number.isascii() and number.isdigit()):
        raise ClientFailure(f"{named} is neither an id of the service nor CORRELATION_ID/RECORDING_ID.")
    found = await client.search(correlation_id, int(number))
    if not found:
        raise ClientFailure(f"There is no recording {number} of a session {correlation_id} that this key can see.")
    return found[0].id
