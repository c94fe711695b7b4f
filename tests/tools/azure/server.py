"""One server of Azure's blobs in a folder, on a free loopback port; can be stopped, held and started again.

A kill loses what it was told in the last seconds.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from urllib.request import Request, urlopen
from uuid import uuid4

from tests.tools.azure.programs import program
from tests.tools.bucket_server import BucketServer

ACCOUNT, KEY = "tapedeck", base64.b64encode(b"open sesame").decode()
CREDENTIALS = {"AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": KEY}
"""The environment of a process that may use the server."""

_VERSION = "2023-11-03"


class AzureServer(BucketServer):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._program = program()

    @property
    def command(self) -> Sequence[str]:
        stored = ["--location", str(self._folder), "--silent"]
        return [*self._program, "--blobPort", str(self.port), "--disableProductStyleUrl", *stored]

    @property
    def environment(self) -> Mapping[str, str]:
        return os.environ | {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}"

    def new_bucket(self) -> str:
        name = f"bucket-{uuid4().hex[:12]}"
        self._create(name)
        return f"az://{name}"

    def _create(self, container: str) -> None:
        """A request that obstore has not, signed as Azure's rules for "Shared Key" say."""
        dated = {"x-ms-date": format_datetime(datetime.now(UTC), usegmt=True), "x-ms-version": _VERSION}
        headers = "".join(f"{name}:{value}\n" for name, value in dated.items())
        resource = f"/{ACCOUNT}/{ACCOUNT}/{container}\nrestype:container"
        to_sign = f"PUT{12 * chr(10)}{headers}{resource}"
        digest = hmac.digest(base64.b64decode(KEY), to_sign.encode(), hashlib.sha256)
        signed = dated | {"Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"}
        url = f"{self.endpoint}/{container}?restype=container"
        urlopen(Request(url, method="PUT", headers=signed)).close()  # noqa: S310 - always http
