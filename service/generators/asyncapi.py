"""The AsyncAPI 3.0 description of the stream: channel, messages with their headers, and how to read them."""

from importlib.metadata import version
from typing import Any

from service.generators.json_schemas import form_schema, schema_file
from service.messages.forms import FORMS, PublicForm
from service.messages.topic import DEFAULT_TOPIC

DESCRIPTION = """Every event of every recording, ambient session and note order, exactly once and, for each, in order.

Read with `isolation.level=read_committed`. The key is the id of the recording, session or order. A message is a
CloudEvent 1.0 in binary mode: its attributes are headers with the prefix `ce_`, its data is the value. `client_ids` in
the value are the ids that the HTTP APIs know it by. Within a type's version fields are only ever added: ignore fields
and types that you do not know."""


def asyncapi_document() -> dict[str, Any]:
    topic = DEFAULT_TOPIC
    names = {form: form.TYPE.removeprefix("tapedeck.") for form in FORMS.values()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "tapedeck recordings",
            "version": version("tapedeck"),
            "description": DESCRIPTION,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "recordings": {
                "address": topic,
                "title": "The log of all recordings",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names.values()},
                "bindings": {
                    "kafka": {"topic": topic, "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": -1}}
                },
            }
        },
        "operations": {
            "publishRecordings": {
                "action": "send",
                "channel": {"$ref": "#/channels/recordings"},
                "summary": "The service publishes; consumers receive.",
            }
        },
        "components": {
            "messages": {name: _message(form) for form, name in names.items()},
            "messageTraits": {"cloudEvent": _cloud_event()},
        },
    }


def _message(form: type[PublicForm]) -> dict[str, Any]:
    schema = form_schema(form)
    return {
        "name": form.TYPE,
        "title": form.__name__,
        "summary": schema["description"],
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "headers": {"type": "object", "properties": {"ce_type": {"const": form.TYPE}}},
        "payload": {"schemaFormat": "application/schema+json;version=draft-2020-12", "schema": _reference(form)},
    }


def _reference(form: type[PublicForm]) -> dict[str, str]:
    return {"$ref": f"./{schema_file(form)}"}


def _cloud_event() -> dict[str, Any]:
    described = {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "description": "`key/version`: unique, and the same on every attempt"},
        "ce_source": {"type": "string", "format": "uri-reference"},
        "ce_type": {"type": "string", "description": "the type and its version"},
        "ce_subject": {
            "type": "string",
            "format": "uuid",
            "description": "the id of the recording, session or note order",
        },
        "ce_time": {"type": "string", "format": "date-time", "description": "when it was decided"},
        "content-type": {"const": "application/json"},
        "ce_logposition": {
            "type": "string",
            "pattern": "^[1-9][0-9]*$",
            "description": "the event's place in the log, growing",
        },
        "ce_traceid": {"type": "string", "description": "the trace id of the request that caused it, if it has one"},
    }
    return {
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "properties": described,
            "required": [name for name in described if name != "ce_traceid"],
        },
        "bindings": {
            "kafka": {
                "key": {
                    "type": "string",
                    "format": "uuid",
                    "description": "the id of the recording, session or note order",
                }
            }
        },
    }
