"""What can go wrong between this client and the service. Each error's text is one sentence for a person."""

from collections.abc import Mapping
from http import HTTPStatus


class ClientFailure(Exception):
    """Anything that stopped the client; its text can be shown as it is."""


class ApiError(ClientFailure):
    """The service refused. `type` is the answer's `error.type`; `details` has everything else about the error."""

    def __init__(self, status: int, type: str, message: str, details: Mapping[str, object]) -> None:  # noqa: A002 - the wire's own name
        super().__init__(status, type, message)
        self.status = status
        self.type = type
        self.message = message
        self.details = details

    def __str__(self) -> str:
        if self.status == HTTPStatus.UNAUTHORIZED:
            return "The service does not accept this API key (401)."
        sentence = self.message.rstrip(".") or "The service refused"
        detail = self.details.get("details")
        if isinstance(detail, Mapping) and detail.get("reason") and str(detail["reason"]) not in sentence:
            sentence += f": {detail.get('field', '')} {detail['reason']}".replace(":  ", ": ")
        return f"{sentence} ({self.status} {self.type})."


class Unreachable(ClientFailure):
    """No usable answer came before the call's patience ended."""

    def __init__(self, server: str, reason: str, tries: int) -> None:
        often = "once" if tries == 1 else f"{tries} times"
        super().__init__(f"{server} did not answer (tried {often}; the last time: {reason}).")


class UnexpectedAnswer(ClientFailure):
    """Something answered, but not as this API does: most likely there is another service at that address."""


class FileChanged(ClientFailure):
    """The file was changed while it was being uploaded."""


class CannotResume(ClientFailure):
    """The chunks that the service holds are not slices of this file."""


class CorruptDownload(ClientFailure):
    """The downloaded file does not have the SHA-256 that the service recorded."""
