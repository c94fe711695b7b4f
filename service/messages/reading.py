"""From a message back to its public form, checked: a consumer's first step."""

from collections.abc import Iterable

from pydantic import ValidationError

from service.messages.forms import FORMS, PublicForm

NEEDED_HEADERS = ("ce_specversion", "ce_id", "ce_source", "ce_type")
"""What CloudEvents 1.0 requires of every event."""


class NotOurMessage(Exception):
    """A message that breaks the contract. One sentence, without the message's content."""


class UnknownType(NotOurMessage):
    """A type that this version does not know, from a newer publisher. Not an error: skip it."""


def read_form(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> PublicForm:
    """The form of a message. Raises: UnknownType; NotOurMessage."""
    named = {name: content.decode("utf-8", "replace") for name, content in headers}
    missing = [name for name in NEEDED_HEADERS if not named.get(name)]
    if missing:
        raise NotOurMessage(f"it lacks the header {missing[0]}")
    if named["ce_specversion"] != "1.0":
        raise NotOurMessage(f"it is CloudEvents {named['ce_specversion']}, not 1.0")
    form_class = FORMS.get(named["ce_type"])
    if form_class is None:
        raise UnknownType(f"its type {named['ce_type']} is not known to this version of tapedeck")
    try:
        form = form_class.model_validate_json(value or b"")
    except ValidationError as invalid:
        first = invalid.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "its value"
        raise NotOurMessage(f"{where} is not as {form_class.TYPE} says: {first['msg']}") from None
    _check_headers(form, key, named)
    return form


def _check_headers(form: PublicForm, key: bytes | None, named: dict[str, str]) -> None:
    subject_id = str(form.subject_id)
    if (key or b"").decode("utf-8", "replace") != subject_id:
        raise NotOurMessage("its key is not the id of its recording, session or note order")
    if named["ce_id"] != f"{subject_id}/{form.version}":
        raise NotOurMessage("its ce_id is not its key and the version")
