from pathlib import Path

import orjson
import pytest
from jsonschema import Draft202012Validator

from service.generators.documents import FOLDER, documents, write_documents
from service.messages.forms import FORMS


def test_the_committed_documents_are_the_generated_ones():
    """`make schemas` writes them."""
    committed = {path.name: path.read_bytes() for path in FOLDER.glob("*.json")}
    assert committed.keys() == documents().keys()
    assert committed == documents()


def test_writing_them_removes_what_there_is_no_more(tmp_path: Path):
    (tmp_path / "tapedeck.gone.v1.json").write_text("{}")
    (tmp_path / "NOTES.md").write_text("mine")
    write_documents(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == documents().keys() | {"NOTES.md"}


@pytest.mark.parametrize("message_type", FORMS)
def test_every_message_type_has_a_valid_json_schema(message_type):
    schema = orjson.loads((FOLDER / f"{message_type}.json").read_bytes())
    Draft202012Validator.check_schema(schema)
    assert schema["title"] == message_type
    assert schema["description"]
    assert "additionalProperties" not in schema  # a reader of today must take the fields of tomorrow


def references(node):
    if isinstance(node, dict):
        yield from [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from references(child)


def test_every_reference_in_the_asyncapi_document_leads_somewhere():
    document = orjson.loads((FOLDER / "asyncapi.json").read_bytes())
    found = list(references(document))
    assert len(found) >= 2 * len(FORMS)
    for reference in found:
        if reference.startswith("./"):
            assert (FOLDER / reference).is_file(), reference
            continue
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
