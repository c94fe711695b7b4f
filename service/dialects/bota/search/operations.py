"""The search as the API reference shows it."""

from service.dialects.bota import access
from service.dialects.bota.operations import BODY_ERRORS, keyed
from service.dialects.bota.search.messages import SearchAnswer, SearchRecordings

OPERATIONS = (
    keyed(
        "POST",
        "/v1/recordings/search",
        "Find what was said in an end user's recordings",
        access.READ_RECORDINGS,
        {200: SearchAnswer},
        *BODY_ERRORS,
        body=SearchRecordings,
    ),
)
