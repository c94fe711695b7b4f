"""Bota's configuration sections (P): what this service does, for every device and end user alike. Only to be read."""

from datetime import timedelta
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field, RootModel

from adapters.keys import Key, KeyKind
from adapters.summary_pages import PageQuery
from service.application.callers import Callers
from service.application.directory import DeviceNotFound, Directory, EndUserNotFound
from service.application.queries import Queries
from service.dialects.bota import access
from service.dialects.bota.answers import Answer
from service.dialects.bota.directory.devices import device_named
from service.dialects.bota.errors import SectionNotFound
from service.dialects.http.json_answers import json_answer

SHORTEST_FLUSH, LONGEST_FLUSH = 60, 255
"""Seconds: the vendor's default (P), and the most that the field may be (P)."""


class _Switch(Answer):
    enabled: bool


class ProcessingConfig(Answer):
    """Every recording is transcribed; nothing else is made of it unless it is asked for."""

    auto_transcription: _Switch
    auto_summary: _Switch
    auto_embedding: _Switch
    auto_enhancement: _Switch


class UploadConfig(Answer):
    """How a device should upload (D), so that a recording of the longest time has no more chunks than it may."""

    streaming_enabled: bool
    streaming_chunk_kb: Annotated[int, Field(ge=64, le=1024)]
    streaming_flush_interval_seconds: Annotated[int, Field(ge=0, le=255)]
    daily_data_limit_mb: int
    allow_roaming: bool
    pause_on_low_battery: bool
    off_peak_hours: None


class _Definition(Answer):
    merge_strategy: Literal["merge_deep"]


class _Section(Answer):
    source: Literal["default"]
    definition: _Definition


class ProcessingSection(_Section):
    value: ProcessingConfig


class UploadSection(_Section):
    value: UploadConfig


class SectionAnswer(RootModel[ProcessingSection | UploadSection]):
    """One section: what it holds, and where that comes from."""


class Config:
    """The handlers. `max_chunks`, `window`: how many chunks a recording may have, and how long it accepts them."""

    def __init__(
        self, directory: Directory, queries: Queries, callers: Callers, *, max_chunks: int, window: timedelta
    ) -> None:
        self._directory = directory
        self._queries = queries
        self._callers = callers
        self._sections = {"processing": processing_section(), "upload": upload_section(max_chunks, window)}

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1/config/{section}", self.of_project)
        router.add_get("/v1/end-users/{end_user_id}/config/{section}", self.of_end_user)
        router.add_get("/v1/devices/{device_id}/config/{section}", self.of_device)

    async def of_project(self, request: web.Request) -> web.Response:
        await access.permitted(request, self._callers, access.READ_CONFIG)
        return self._section(request)

    async def of_end_user(self, request: web.Request) -> web.Response:
        """(D) Also of one who is only named in recordings. A device token has this of its own end user."""
        key = await access.permitted(request, self._callers, access.READ_CONFIG)
        end_user_id = request.match_info["end_user_id"]
        if key.kind is KeyKind.DEVICE and key.end_user_id != end_user_id:
            raise EndUserNotFound
        try:
            await self._directory.end_users.find(key.project_id, end_user_id)
        except EndUserNotFound:
            if not await self._has_recordings(key, end_user_id=end_user_id):
                raise
        return self._section(request)

    async def of_device(self, request: web.Request) -> web.Response:
        """(D) Also of one that is only named in recordings."""
        key = await access.permitted(request, self._callers, access.READ_CONFIG)
        device_id = device_named(request, key)
        try:
            await self._directory.devices.find(key.project_id, device_id)
        except DeviceNotFound:
            if not await self._has_recordings(key, device_id=device_id):
                raise
        return self._section(request)

    async def _has_recordings(self, key: Key, *, end_user_id: str | None = None, device_id: str | None = None) -> bool:
        asked = PageQuery(tenant_id=key.project_id, limit=1, end_user_id=end_user_id, device_id=device_id)
        return bool((await self._queries.page(asked)).rows)

    def _section(self, request: web.Request) -> web.Response:
        section = self._sections.get(request.match_info["section"])
        if section is None:
            raise SectionNotFound
        return json_answer(section)


def processing_section() -> ProcessingSection:
    off = _Switch(enabled=False)
    return ProcessingSection(
        value=ProcessingConfig(
            auto_transcription=_Switch(enabled=True), auto_summary=off, auto_embedding=off, auto_enhancement=off
        ),
        source="default",
        definition=_Definition(merge_strategy="merge_deep"),
    )


def upload_section(max_chunks: int, window: timedelta) -> UploadSection:
    """(D) A chunk is flushed so seldom that the chunks suffice for the whole window, where the field allows that; if
    that is less often than usual, chunks are as large as the field allows, so that size does not end them earlier.

    The data limit is one that no recorder comes to, in 16 bits. Roaming costs money and a low battery the recording
    that is running, while what is not uploaded yet stays on the device: so neither is used.
    """
    needed = -(-window // timedelta(seconds=max_chunks))
    flush_seconds = min(max(needed, SHORTEST_FLUSH), LONGEST_FLUSH)
    return UploadSection(
        value=UploadConfig(
            streaming_enabled=True,
            streaming_chunk_kb=256 if flush_seconds == SHORTEST_FLUSH else 1024,
            streaming_flush_interval_seconds=flush_seconds,
            daily_data_limit_mb=65_535,
            allow_roaming=False,
            pause_on_low_battery=True,
            off_peak_hours=None,
        ),
        source="default",
        definition=_Definition(merge_strategy="merge_deep"),
    )
