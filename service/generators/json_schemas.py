"""A JSON Schema (2020-12) for the value of every message type."""

from typing import Any

from service.messages.forms import FORMS, PublicForm

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def message_schemas() -> dict[str, dict[str, object]]:
    """File name -> schema, one for each type."""
    return {schema_file(form): {"$schema": DIALECT, **form_schema(form)} for form in FORMS.values()}


def schema_file(form: type[PublicForm]) -> str:
    return f"{form.TYPE}.json"


def form_schema(form: type[PublicForm]) -> dict[str, Any]:
    """For readers: fields that are not in it may come, and are to be ignored."""
    return form.model_json_schema(mode="serialization") | {"title": form.TYPE}
