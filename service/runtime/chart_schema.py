"""`python -m service.runtime.chart_schema`: writes the settings into the schema of the values of Kubernetes' chart.

Helm then refuses a setting that does not exist, and a value that the service would refuse, before it installs anything.
"""

from pathlib import Path
from typing import Any

import orjson
from pydantic import SecretStr

from service.runtime.settings import Settings

SCHEMA = Path(__file__).with_name("deploy") / "chart" / "values.schema.json"

CHARTS_OWN = {
    *("data_dir", "host", "port", "operations_host", "operations_port"),
    *("peer_url", "peer_tls_cert", "peer_tls_key", "peer_tls_ca"),
    *("tls_cert", "tls_key"),
}
"""Settings that the chart makes itself. Clients' TLS ends before the pod, since the probes are without."""

VARIABLES = ("AWS_REGION", "AZURE_STORAGE_ACCOUNT_NAME", "PGSSLMODE", "SSL_CERT_FILE")
SECRET_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_TENANT_ID",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "PGPASSWORD",
    "PGUSER",
)
"""What the service's libraries read, as the operations guide says."""

_RULES = ("type", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "description")


def written() -> bytes:
    """The schema as it is now, with all settings as they are in the code."""
    schema = orjson.loads(SCHEMA.read_bytes())
    fields = Settings.model_json_schema()["properties"]
    names = [name for name in fields if name not in CHARTS_OWN]
    settings = {_variable(name): _rule(fields[name]) for name in names if not is_secret(name)}
    schema["properties"]["settings"]["properties"] = settings | {name: {"type": "string"} for name in VARIABLES}
    # No numbers: the chart must know how long a stop may take. Nor the address, which it must know, too.
    texts = [name for name in names if _rule(fields[name])["type"] == "string" and name != "public_url"]
    in_secrets = [*map(_variable, texts), *SECRET_VARIABLES]
    schema["properties"]["secrets"]["properties"] = {name: {"$ref": "#/definitions/in_secret"} for name in in_secrets}
    return orjson.dumps(schema, option=orjson.OPT_INDENT_2) + b"\n"


def is_secret(name: str) -> bool:
    """Whether a setting has a password or a key in it."""
    field = Settings.model_fields[name]
    return not field.repr or SecretStr in getattr(field.annotation, "__args__", (field.annotation,))


def _variable(name: str) -> str:
    return f"TAPEDECK_{name.upper()}"


def _rule(field: dict[str, Any]) -> dict[str, Any]:
    (kind,) = [each for each in field.get("anyOf", [field]) if each["type"] != "null"]
    both = kind | {"description": field["description"]}
    return {name: both[name] for name in _RULES if name in both}


if __name__ == "__main__":
    SCHEMA.write_bytes(written())
