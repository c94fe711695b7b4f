"""Keys as the API reference shows them."""

from service.dialects.bota import access, answers, paging
from service.dialects.bota.keys.messages import KEY_ID, CreateKey, KeyAnswer, KeyCreatedAnswer, RevokeKeyRequest
from service.dialects.bota.operations import BODY_ERRORS, keyed

OPERATIONS = (
    keyed(
        "GET",
        "/v1/keys/current",
        "The key that the request is made with, and what it may do",
        access.READ_OWN_KEY,
        {200: KeyAnswer},
    ),
    keyed(
        "GET",
        "/v1/keys",
        "List the project's keys, newest first; for secret keys",
        access.MANAGE_KEYS,
        {200: answers.ListAnswer[KeyAnswer]},
        400,
        query=paging.PageRequest,
    ),
    keyed(
        "POST",
        "/v1/keys",
        "Make a key for the project, whose token is shown here and never again; for secret keys",
        access.MANAGE_KEYS,
        {201: KeyCreatedAnswer},
        409,
        507,
        *BODY_ERRORS,
        body=CreateKey,
    ),
    keyed(
        "DELETE",
        "/v1/keys/{key_id}",
        "Revoke a key, from the next request on; for secret keys",
        access.MANAGE_KEYS,
        {204: None},
        400,
        404,
        409,
        507,
        query=RevokeKeyRequest,
        path_patterns={"key_id": KEY_ID},
    ),
)
