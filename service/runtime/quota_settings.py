"""The quotas of projects that have none of their own."""

from typing import Annotated

from pydantic import Field

from adapters.quotas import Most, Quota
from service.dialects.http.settings import HttpSettings

Limit = Annotated[int, Field(ge=0, le=10**18 - 1)]
"""As many digits as `tapedeck quotas set` takes."""


class QuotaSettings(HttpSettings):
    """What a project may have at most. `tapedeck quotas set` sets another quota for one project."""

    quota_bytes: Annotated[
        Limit | None,
        Field(
            description="most bytes that the recordings of a project may keep: at that, no further one begins; those "
            "that have begun go on until a tenth more; if unset, no limit"
        ),
    ] = None
    quota_open_recordings: Annotated[
        Limit, Field(description="most recordings of a project whose upload is not complete")
    ] = 10_000
    quota_recordings: Annotated[
        Limit | None, Field(description="most recordings of a project that are not deleted; if unset, no limit")
    ] = None
    quota_waiting_notes: Annotated[
        Limit, Field(description="most ordered notes of a project, such as Bota's summaries, that wait to be written")
    ] = 1_000
    quota_sessions: Annotated[
        Limit | None,
        Field(
            description="most announcements of ambient sessions of a project, each change of one counted; if unset, no "
            "limit"
        ),
    ] = None
    quota_webhooks: Annotated[Limit, Field(description="most webhook endpoints of a project")] = 50
    quota_end_users: Annotated[Limit, Field(description="most registered end users of a project")] = 100_000
    quota_devices: Annotated[Limit, Field(description="most registered devices of a project")] = 100_000

    @property
    def quotas(self) -> Most:
        return {
            Quota.BYTES: self.quota_bytes,
            Quota.OPEN_RECORDINGS: self.quota_open_recordings,
            Quota.RECORDINGS: self.quota_recordings,
            Quota.WAITING_NOTES: self.quota_waiting_notes,
            Quota.SESSIONS: self.quota_sessions,
            Quota.WEBHOOKS: self.quota_webhooks,
            Quota.END_USERS: self.quota_end_users,
            Quota.DEVICES: self.quota_devices,
        }
