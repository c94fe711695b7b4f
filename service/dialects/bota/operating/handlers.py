"""Answers how the service stands."""

from aiohttp import web

from adapters.quotas import Quota
from service.application.callers import Callers
from service.application.operating import Operating, Publisher, Standing
from service.dialects.bota import access
from service.dialects.bota.answers import RecordingStatus
from service.dialects.bota.operating.messages import (
    FollowerAnswer,
    MinuteAnswer,
    OperationsAnswer,
    PublisherAnswer,
    StageAnswer,
    UsageAnswer,
    UsedAnswer,
)
from service.dialects.http.json_answers import json_answer, utc_text

UNFINISHED: tuple[RecordingStatus, ...] = (
    "pending",
    "streaming",
    "uploaded",
    "processing",
    "failed",
    "integrity_failure",
)
"""It is told how many there are of each: of all that is not done."""


class OperationsEndpoint:
    """The handler."""

    def __init__(self, operating: Operating, callers: Callers) -> None:
        self._operating = operating
        self._callers = callers

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1/operations", self.operations)

    async def operations(self, request: web.Request) -> web.Response:
        """As of now; it is meant to be asked every few seconds."""
        key = await access.permitted(request, self._callers, access.READ_OPERATIONS)
        standing = await self._operating.of(key.project_id, UNFINISHED)
        return json_answer(_answer(standing))


def _answer(standing: Standing) -> OperationsAnswer:
    head, usage = (
        standing.head,
        {quota: UsedAnswer(used=of.used, limit=of.most) for quota, of in standing.usage.items()},
    )
    return OperationsAnswer.model_validate(
        {
            "log_head": head,
            "followers": [
                FollowerAnswer(name=each.name, position=each.position, lag=head - each.position)
                for each in standing.followers
            ],
            "publisher": None if standing.publisher is None else _publisher_answer(standing.publisher, head),
            "stages": [
                StageAnswer(
                    name=each.name,
                    waiting=each.backlog.waiting,
                    working=each.backlog.working,
                    is_whole=each.backlog.is_whole,
                )
                for each in standing.stages
            ],
            "recordings": standing.recordings,
            "usage": UsageAnswer(
                bytes=usage[Quota.BYTES],
                recordings=usage[Quota.RECORDINGS],
                open_recordings=usage[Quota.OPEN_RECORDINGS],
                waiting_notes=usage[Quota.WAITING_NOTES],
            ),
            "last_hour": [
                MinuteAnswer(at=utc_text(minute.begins_at), begun=minute.begun, uploaded=minute.uploaded)
                for minute in standing.last_hour
            ],
        }
    )


def _publisher_answer(publisher: Publisher, head: int) -> PublisherAnswer:
    position = publisher.position
    return PublisherAnswer(position=position, lag=max(0, head - position), is_held_up=publisher.is_held_up)
