"""The note of a recording as clients read and correct it, the same in every dialect that shows one.

Preconditions are those of RFC 9110, section 13: a version's entity tag is strong, and an edit that has already been
made is answered as made, also if its If-Match is out of date by now (13.1.1).
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from aiohttp import hdrs, web
from pydantic import BaseModel, ConfigDict, Field, model_validator

from adapters.notes.note import Heading, Section, Sentence, Source
from domain.events import AUTHOR
from service.application.note_edits import Edit, NoteVersion, ShownNote
from service.dialects.http.json_answers import json_answer, utc_text

MOST_SENTENCES = 1_000
"""In one section of an edit."""

LONGEST_SENTENCE = 10_000
"""Characters."""

VERSION_NUMBER = r"^[0-9]{1,9}$"
_VERSION_NUMBER = re.compile(VERSION_NUMBER, re.ASCII)
_ENTITY_TAG = r'(?:W/)?"[!#-~\x80-\xff]*"'
_ENTITY_TAGS = re.compile(rf"\s*{_ENTITY_TAG}\s*(?:,\s*{_ENTITY_TAG}\s*)*")

IF_MATCH: Mapping[str, Mapping[str, Any]] = {"If-Match": {"type": "string", "pattern": r'^(\*|"[!#-~]{0,80}")$'}}
IF_NONE_MATCH: Mapping[str, Mapping[str, Any]] = {
    "If-None-Match": {"type": "string", "pattern": r'^(\*|"[!#-~]{0,80}")$'},
}
"""Headers of the requests, for the API reference."""


class BadMatch(Exception):
    """An If-Match or If-None-Match that is none."""

    def __init__(self, header: str) -> None:
        super().__init__(f'{header}: This must be * or the ETag of the note that was read, such as "0-5f1d…".')


class EditedSentence(Sentence):
    """`source`: as the note has it. It is left out of what is stored unless the writer's own note has the same one of
    the same words."""

    model_config = ConfigDict(strict=True)

    text: Annotated[str, Field(min_length=1, max_length=LONGEST_SENTENCE, pattern=r"\S")]
    source: Source | None = None
    further_sources: Annotated[tuple[Source, ...], Field(strict=False)] = ()
    heading: Annotated[Heading | None, Field(strict=False)] = None
    problem: Annotated[str | None, Field(min_length=1, max_length=LONGEST_SENTENCE)] = None


Sentences = Annotated[list[EditedSentence], Field(max_length=MOST_SENTENCES)]


class EditedSections(BaseModel):
    """A section that is left out is empty. Others are refused: their words would be lost."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    subjective: Sentences = []
    objective: Sentences = []
    assessment: Sentences = []
    plan: Sentences = []

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any(getattr(self, section) for section in Section):
            raise ValueError("Input should have a sentence in at least one section")
        return self


class EditNoteRequest(BaseModel):
    """The note as it is to be. What else a GET of the note gives may be sent back, and is ignored.

    `author`: who edited it, by an id that the client chooses. It is kept in the log, so it is not to be a name.
    """

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    author: Annotated[str, Field(pattern=AUTHOR, examples=["practitioner-17"])]
    sections: EditedSections


class SectionsAnswer(BaseModel):
    """Each sentence with its place in the transcript, or null if it is not quoted from there."""

    subjective: list[Sentence]
    objective: list[Sentence]
    assessment: list[Sentence]
    plan: list[Sentence]


class VersionAnswer(BaseModel):
    """`version`: 0 is the writer's own. `author`: null for that. `etag`: for If-Match."""

    version: int
    edited: bool
    author: str | None
    at: str
    size_bytes: int
    etag: str


class NoteFields(BaseModel):
    """A note, which is a draft until a person has edited it. `engine`: what wrote the draft."""

    version: int
    edited: bool
    author: str | None
    at: str
    draft: bool
    engine: str
    language: str
    sections: SectionsAnswer


def note_fields(shown: ShownNote) -> dict[str, Any]:
    """The fields of `NoteFields`."""
    version, note = shown.version, shown.note
    is_edited = version.author is not None
    return {
        "version": version.number,
        "edited": is_edited,
        "author": version.author,
        "at": utc_text(version.at),
        "draft": not is_edited,
        "engine": note.engine,
        "language": note.language,
        "sections": {section.value: note.sections.get(section, ()) for section in Section},
    }


def version_answer(version: NoteVersion) -> VersionAnswer:
    return VersionAnswer(
        version=version.number,
        edited=version.author is not None,
        author=version.author,
        at=utc_text(version.at),
        size_bytes=version.size_bytes,
        etag=entity_tag(version),
    )


def entity_tag(version: NoteVersion) -> str:
    return f'"{version.name}"'


def note_answer(request: web.Request, shown: ShownNote, body: BaseModel) -> web.Response:
    """`body` with the note's entity tag; 304 for a client that has this version."""
    etag = entity_tag(shown.version)
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if request.method in (hdrs.METH_GET, hdrs.METH_HEAD):
        try:
            known = _unlike(request)
        except BadMatch:  # the whole note is never wrong
            known = frozenset()
        if known is None or shown.version.name in known:
            return web.Response(status=304, headers=headers)
    return json_answer(body, headers=headers)


def version_asked_for(request: web.Request) -> int | None:
    """The number that the path ends with; None if that is none."""
    number = request.match_info["number"]
    return int(number) if _VERSION_NUMBER.fullmatch(number) else None


def edit_asked_for(request: web.Request, asked: EditNoteRequest, *, key_id: str) -> Edit:
    """Raises: BadMatch."""
    sections = {section: getattr(asked.sections, section.value) for section in Section}
    seen, unlike = _seen(request), _unlike(request)
    return Edit(sections=sections, author=asked.author, key_id=key_id, seen=seen, unlike=unlike)


def _seen(request: web.Request) -> frozenset[str] | None:
    """The versions that If-Match names; None for any. A weak tag matches none."""
    tags = _tags(request, hdrs.IF_MATCH)
    return None if tags in ([], ["*"]) else frozenset(tag.strip('"') for tag in tags if not tag.startswith("W/"))


def _unlike(request: web.Request) -> frozenset[str] | None:
    """The versions that If-None-Match names; None for any. A weak tag matches, too."""
    tags = _tags(request, hdrs.IF_NONE_MATCH)
    return None if tags == ["*"] else frozenset(tag.removeprefix("W/").strip('"') for tag in tags)


def _tags(request: web.Request, name: str) -> list[str]:
    """The entity tags of a header, or a "*"; none if it is not there. Raises: BadMatch."""
    header = ",".join(request.headers.getall(name, [])).strip()
    if header in ("", "*"):
        return [header] if header else []
    if not _ENTITY_TAGS.fullmatch(header):
        raise BadMatch(name)
    return re.findall(_ENTITY_TAG, header)
