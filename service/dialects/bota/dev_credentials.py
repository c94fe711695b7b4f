"""Bota's development credentials: a secret key, and the token of a device."""

from adapters.keys import KeyKind
from service.dialects.dialect import DevCredentials, Development, Entry


def _make(development: Development) -> Entry:
    device_id, end_user_id = f"dev_{development.new_id()}", f"eu_{development.new_id()}"
    secret = development.keys.create(KeyKind.SECRET, project_id=development.project_id, name="development", live=False)
    device = development.keys.create(
        KeyKind.DEVICE,
        project_id=development.project_id,
        device_id=device_id,
        end_user_id=end_user_id,
        name="development",
    )
    return {
        "api_key": secret.token,
        "device_token": device.token,
        "end_user_id": end_user_id,
        "device_id": device_id,
        "project_id": development.project_id,
    }


DEV_CREDENTIALS = DevCredentials(
    make=_make, needed=("api_key", "device_token", "project_id"), tokens=("api_key", "device_token")
)
