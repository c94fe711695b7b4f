"""Signing in with one click, in development: a link that works once, within an hour, in place of the development key.

The link holds a code in its fragment, which browsers send to nobody. The page trades it for the key. The code is in a
file in the data directory that only its owner can read; who removes the file has used it, so that of several requests,
and of several processes, one gets the key.
"""

import hmac
import os
import secrets
import time
from pathlib import Path

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.private_files import write_private_file
from service.console.pages import PREFIX
from service.dialects.http.json_answers import json_answer
from service.dialects.http.limits import Limits

FILE_NAME = "console-sign-in"
CODE_BYTES = 24
LINK_SECONDS = 60 * 60
_MOST_BODY_BYTES = 1024
_REFUSAL = "This link was used, is more than an hour old, or a newer one was made; `tapedeck console` makes another."


class SignIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: str = Field(max_length=200)


def new_link(data_dir: Path, base_url: str, view: str = "") -> str:
    """A link that signs in once, within LINK_SECONDS, and shows a view such as `/record`.

    Those that were made before are void. Raises: OSError.
    """
    code = secrets.token_urlsafe(CODE_BYTES)
    write_private_file(data_dir / FILE_NAME, code.encode())
    return f"{base_url}{PREFIX}{view}#sign-in={code}"


def remove_link(data_dir: Path) -> None:
    (data_dir / FILE_NAME).unlink(missing_ok=True)


class SigningIn:
    """The handler. `api_key`: the development key; None where there is none, and then no code is right."""

    def __init__(self, data_dir: Path, limits: Limits, api_key: str | None) -> None:
        self._path = data_dir / FILE_NAME
        self._limits = limits
        self._api_key = api_key

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post(f"{PREFIX}/sign-in", self.sign_in)

    async def sign_in(self, request: web.Request) -> web.Response:
        """200 with `{api_key}` for a code that was not used, in time; 403 for any other. Raises: HTTPBadRequest."""
        body = await self._limits.whole_body(request, limit_bytes=_MOST_BODY_BYTES, seconds=self._limits.json_seconds)
        try:
            asked = SignIn.model_validate_json(body)
        except ValidationError:
            raise web.HTTPBadRequest from None
        headers = {"Cache-Control": "no-store"}
        if self._api_key is None or not self._use(asked.code):
            error = {"type": "forbidden", "code": "forbidden", "message": _REFUSAL}
            return json_answer({"error": error}, status=403, headers=headers)
        return json_answer({"api_key": self._api_key}, headers=headers)

    def _use(self, code: str) -> bool:
        """Whether it is the file's code, not too old, and this call removed the file.

        A wrong guess leaves the link as it is.
        """
        try:
            with self._path.open("rb") as file:
                right, written = file.read(), os.fstat(file.fileno()).st_mtime
            if not hmac.compare_digest(right, code.encode()) or time.time() - written > LINK_SECONDS:
                return False
            self._path.unlink()
        except OSError:  # it is gone, or not the service's to read
            return False
        return True
