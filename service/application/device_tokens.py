"""The tokens of devices: given at binding and renewal, replaced so that a lost answer locks no device out."""

from datetime import datetime, timedelta

from adapters.keys import Key, KeyKind, KeyStore
from service.application.clock import Clock

GIVEN = "given to a bound device"
"""The name of tokens from here. Those that an operator made are renewed without being replaced."""

UNSEEN_FOR = timedelta(days=30)
"""How long a replaced token is valid while nobody is known to have the one that replaced it."""

SEEN_FOR = timedelta(hours=1)
"""How long it is once the newer one was used."""

MOST_UNSEEN = 32
"""How many newer tokens a device may have been given without using one. Of more, the newest are valid."""

ENDED_FOR = timedelta(days=30)
"""How long `tapedeck keys list` shows a token that is not valid any more, at least."""


class DeviceTokens:
    """Blocking, and for one caller at a time. Raises: DatabaseFull; DatabaseUnavailable.

    `urls_valid_for`: how long a URL that was made with a token can be valid: only as long as the token is known can it
    be told that it was revoked. What completes an upload later than its URL does so within `ENDED_FOR`.
    """

    def __init__(self, keys: KeyStore, *, clock: Clock, urls_valid_for: timedelta = timedelta()) -> None:
        self._keys = keys
        self._clock = clock
        self._known_for = ENDED_FOR + urls_valid_for

    def give(self, project_id: str, device_id: str, end_user_id: str, *, asked_with: Key | None = None) -> str:
        """A new token, which is never shown again. Those given before expire in `UNSEEN_FOR` at the latest.

        `asked_with`: the device's token that asks, if it does: it gets no more than `MOST_UNSEEN` newer ones.
        """
        earlier = self._given(project_id, device_id)
        new = self._keys.create(
            KeyKind.DEVICE, project_id=project_id, device_id=device_id, end_user_id=end_user_id, name=GIVEN
        )
        self._end(earlier, at=self._clock() + UNSEEN_FOR)
        if asked_with is not None:
            newer = [key for key in earlier if key.created_at > asked_with.created_at]
            self._end(newer[: max(len(newer) + 1 - MOST_UNSEEN, 0)], at=self._clock())
        self._keys.forget_expired(project_id, device_id=device_id, name=GIVEN)
        return new.token

    def seen(self, key: Key) -> None:
        """The device has this token: those given before it expire in `SEEN_FOR` at the latest."""
        if key.name != GIVEN or key.device_id is None:
            return
        given = self._given(key.project_id, key.device_id)
        earlier = [one for one in given if one.created_at < key.created_at]
        self._end(earlier, at=self._clock() + SEEN_FOR)

    def _end(self, keys: list[Key], *, at: datetime) -> None:
        """Writes nothing for those that end before."""
        for key in keys:
            if key.expires_at is None or key.expires_at > at:
                self._keys.expire(key.id, at=at)

    def _given(self, project_id: str, device_id: str) -> list[Key]:
        return [key for key in self._keys.device_tokens(project_id, device_id=device_id) if key.name == GIVEN]

    def in_force(self, project_id: str, *, device_id: str | None = None, end_user_id: str | None = None) -> list[Key]:
        """All tokens of a device, or of an end user's devices, whoever made them; oldest first."""
        return self._keys.device_tokens(project_id, device_id=device_id, end_user_id=end_user_id)

    def is_in_force(self, key: Key) -> bool:
        """Whether the token is valid now, as of all that was revoked before."""
        return any(one.id == key.id for one in self.in_force(key.project_id, device_id=key.device_id))

    def revoke(self, project_id: str, *, device_id: str | None = None, end_user_id: str | None = None) -> None:
        """Refuse all of them from now on."""
        for key in self._keys.device_tokens(project_id, device_id=device_id, end_user_id=end_user_id):
            self._keys.revoke(key.id)

    def forget_ended(self) -> int:
        """Forget those that were revoked or expired so long ago that nothing that was made with them is valid.

        Returns: how many.
        """
        return self._keys.forget_ended_device_tokens(before=self._clock() - self._known_for)

    def close(self) -> None:
        self._keys.close()
