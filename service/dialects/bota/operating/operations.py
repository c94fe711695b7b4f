"""How the service stands, as the API reference shows it."""

from service.dialects.bota import access
from service.dialects.bota.operating.messages import OperationsAnswer
from service.dialects.bota.operations import keyed

OPERATIONS = (
    keyed(
        "GET",
        "/v1/operations",
        "How the service stands: its followers, the project's work that waits, and what the project stores",
        access.READ_OPERATIONS,
        {200: OperationsAnswer},
    ),
)
