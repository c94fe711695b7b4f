"""A message as one JSON value: CloudEvents 1.0 in structured mode, for those who read no headers."""

import orjson

from adapters.kafka.message import Message

MEDIA_TYPE = "application/cloudevents+json"
_PREFIX = "ce_"


def structured(message: Message) -> bytes:
    """The attributes of the message's headers, and as `data` its value, byte for byte."""
    attributes = {
        name.removeprefix(_PREFIX): value.decode() for name, value in message.headers if name.startswith(_PREFIX)
    }
    attributes["datacontenttype"] = "application/json"
    return orjson.dumps(attributes | {"data": orjson.Fragment(message.value)})
