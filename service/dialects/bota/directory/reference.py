"""The operations on end users, devices and their configuration."""

from service.dialects.bota import access
from service.dialects.bota.answers import ListAnswer
from service.dialects.bota.directory import answers, config, requests
from service.dialects.bota.operations import BODY_ERRORS, NAMED_ONCE, STORING_ERRORS, keyed

_END_USER = {"end_user_id": r"^eu_[A-Za-z0-9]{1,61}$"}
_DEVICE = {"device_id": r"^(me|dev_[A-Za-z0-9]{1,60})$"}
_SECTION = {"section": r"^(processing|upload)$"}

_END_USERS = (
    keyed(
        "POST",
        "/v1/end-users",
        "Register an end user",
        access.WRITE_END_USERS,
        {201: answers.EndUserAnswer},
        409,
        *BODY_ERRORS,
        *STORING_ERRORS,
        body=requests.CreateEndUser,
        headers=NAMED_ONCE,
    ),
    keyed(
        "GET",
        "/v1/end-users",
        "List end users, newest first",
        access.READ_END_USERS,
        {200: ListAnswer[answers.EndUserAnswer]},
        400,
        query=requests.EndUsersPageRequest,
    ),
    keyed(
        "GET",
        "/v1/end-users/{end_user_id}",
        "What is known of an end user",
        access.READ_END_USERS,
        {200: answers.EndUserAnswer},
        404,
        path_patterns=_END_USER,
    ),
    keyed(
        "PATCH",
        "/v1/end-users/{end_user_id}",
        "Change what is known of an end user",
        access.WRITE_END_USERS,
        {200: answers.EndUserAnswer},
        404,
        *BODY_ERRORS,
        *STORING_ERRORS,
        body=requests.ChangeEndUser,
        path_patterns=_END_USER,
    ),
    keyed(
        "DELETE",
        "/v1/end-users/{end_user_id}",
        "Erase what is known of an end user, and unbind their devices; their recordings stay",
        access.WRITE_END_USERS,
        {204: None},
        404,
        507,
        path_patterns=_END_USER,
    ),
)

_DEVICES = (
    keyed(
        "POST",
        "/v1/devices",
        "Register a device, or find the one with this serial number",
        access.WRITE_DEVICES,
        {201: answers.DeviceAnswer, 200: answers.DeviceAnswer},
        409,
        *BODY_ERRORS,
        *STORING_ERRORS,
        body=requests.CreateDevice,
        headers=NAMED_ONCE,
    ),
    keyed(
        "GET",
        "/v1/devices",
        "List devices, newest first",
        access.READ_DEVICES,
        {200: ListAnswer[answers.DeviceAnswer]},
        400,
        query=requests.DevicesPageRequest,
    ),
    keyed(
        "GET",
        "/v1/devices/{device_id}",
        "A device, and what it last said of itself",
        access.READ_OWN_DEVICE,
        {200: answers.DeviceAnswer},
        404,
        path_patterns=_DEVICE,
    ),
    keyed(
        "PATCH",
        "/v1/devices/{device_id}",
        "Change a device's name, metadata or firmware version",
        access.WRITE_DEVICES,
        {200: answers.DeviceAnswer},
        404,
        *BODY_ERRORS,
        *STORING_ERRORS,
        body=requests.ChangeDevice,
        path_patterns=_DEVICE,
    ),
    keyed(
        "POST",
        "/v1/devices/{device_id}/bind",
        "Bind a device to an end user; its token is shown here and never again",
        access.WRITE_DEVICES,
        {200: answers.BoundDeviceAnswer},
        404,
        409,
        *BODY_ERRORS,
        *STORING_ERRORS,
        body=requests.BindDevice,
        headers=NAMED_ONCE,
        path_patterns=_DEVICE,
    ),
    keyed(
        "POST",
        "/v1/devices/{device_id}/unbind",
        "Unbind a device, and revoke its tokens",
        access.WRITE_DEVICES,
        {200: answers.DeviceAnswer},
        404,
        507,
        path_patterns=_DEVICE,
    ),
    keyed(
        "POST",
        "/v1/devices/{device_id}/token/refresh",
        "Another token for a device; it is shown here and never again",
        access.ACT_AS_DEVICE,
        {200: answers.BoundDeviceAnswer},
        404,
        409,
        507,
        path_patterns=_DEVICE,
    ),
    keyed(
        "POST",
        "/v1/devices/{device_id}/heartbeat",
        "What a device says of itself",
        access.ACT_AS_DEVICE,
        {200: answers.HeartbeatAnswer},
        404,
        *BODY_ERRORS,
        *STORING_ERRORS,
        body=requests.SendHeartbeat,
        body_is_optional=True,
        path_patterns=_DEVICE,
    ),
    keyed(
        "GET",
        "/v1/devices/{device_id}/state",
        "What a device last said of itself",
        access.READ_OWN_DEVICE,
        {200: answers.StateAnswer},
        404,
        path_patterns=_DEVICE,
    ),
)

_CONFIG = tuple(
    keyed(
        "GET",
        f"{of_what}/config/{{section}}",
        f"How recordings are processed, or uploaded{to_whom}",
        access.READ_CONFIG,
        {200: config.SectionAnswer},
        404,
        path_patterns={**patterns, **_SECTION},
    )
    for of_what, to_whom, patterns in (
        ("/v1", "", {}),
        ("/v1/end-users/{end_user_id}", ", for an end user", _END_USER),
        ("/v1/devices/{device_id}", ", for a device", _DEVICE),
    )
)

DIRECTORY = (*_END_USERS, *_DEVICES, *_CONFIG)
