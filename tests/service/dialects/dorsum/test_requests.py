"""What a Dorsum client is told about a request that cannot be understood."""

import pytest

from service.dialects.dorsum.requests import InvalidRequest, read_request

SESSION = b'"session_id":"0b0e0f0a-1111-4222-8333-123456789012"'
DEEP = b"[" * 1000 + b"]" * 1000


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (b'"session_id":null', "session_id: This must be a UUID of version 4, not null."),
        (b'"session_id":' + DEEP, "session_id: This must be a UUID of version 4, not a list."),
        (SESSION + b',"is_final":{"yes":true}', "is_final: This must be true or false, not an object."),
        (SESSION + b',"previous_transcript":' + DEEP, "previous_transcript: This must be a string, not a list."),
        (SESSION + b',"output_format":true', "output_format: This must be text or json, not true."),
        (SESSION + b',"output_format":"pdf"', "output_format: This must be text or json, not 'pdf'."),
    ],
)
def test_a_refusal_names_the_field_and_shows_what_it_was(fields, message):
    with pytest.raises(InvalidRequest) as refused:
        read_request(b'{"chunk":[0.5],%b}' % fields, None)
    assert str(refused.value) == message
